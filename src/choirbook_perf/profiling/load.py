"""Load of a profiled server: reads of everything that it lists; and the server's name. Blocking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import NamedTuple

from choirbook_perf.errors import EmptyLibrary, PerfError
from choirbook_perf.probing import HttpProbe, McpProbe
from choirbook_perf.targets import HttpTarget, McpTarget, Request

_CHOIRBOOK = "choirbook"


class ProfilingLoad(NamedTuple):
    """Requests that keep a server busy."""

    server: str
    """Name and version of the server, as far as it reports them."""
    requests: list[Request]


def is_choirbook(server: str) -> bool:
    """Return whether a server's name and version are those of a Choirbook."""
    return server.partition(" ")[0].lower() == _CHOIRBOOK


@contextmanager
def load_of(url: str, protocol: str) -> Iterator[ProfilingLoad]:
    """Yield the load of a server, and end its sessions afterwards.

    Args:
        url: URL of the server.
        protocol: `http`, `mcp`, or `all` for every protocol and era that the server speaks.

    Raises:
        ServerUnreachable: Nothing answers there, or not as a resource server.
        EmptyLibrary: There is nothing to read.
    """
    with ExitStack() as probes:
        yield _load(url, protocol, probes)


def _load(url: str, protocol: str, probes: ExitStack) -> ProfilingLoad:
    parts = []
    refusals: list[PerfError] = []
    makers = [_http] if protocol in {"http", "all"} else []
    makers += [_modern, _handshake] if protocol in {"mcp", "all"} else []
    for make in makers:
        # A server of another project has no HTTP listing, and often only one era.
        try:
            parts.append(make(url, probes))
        except PerfError as refusal:
            refusals.append(refusal)
    if not parts:
        raise refusals[-1]
    requests = [request for part in parts for request in part.requests]
    if not requests:
        raise EmptyLibrary(f"The server at {url} lists no resources. Add documents to its library.")
    return ProfilingLoad(next((part.server for part in parts if part.server), ""), requests)


def _http(url: str, probes: ExitStack) -> ProfilingLoad:
    probe = probes.enter_context(closing(HttpProbe(url)))
    target = HttpTarget(probe.url)
    json = [target.read(listed.address) for listed in probe.listed()]
    raw = [request._replace(headers={**request.headers, "Accept": "text/*"}) for request in json]
    return ProfilingLoad(probe.server, [request for pair in zip(json, raw, strict=True) for request in pair])


def _modern(url: str, probes: ExitStack) -> ProfilingLoad:
    return _mcp(probes.enter_context(closing(McpProbe(url, "modern"))))


def _handshake(url: str, probes: ExitStack) -> ProfilingLoad:
    return _mcp(probes.enter_context(closing(McpProbe(url, "handshake"))))


def _mcp(probe: McpProbe) -> ProfilingLoad:
    target = McpTarget(probe.url, probe.era)
    reads = [probe.session.prepare(target.read(listed.address)) for listed in probe.listed()]
    return ProfilingLoad(probe.server, reads)
