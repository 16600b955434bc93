"""Profiling of a running server under load, and the cost of each stage of a read, from Choirbook."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from choirbook_perf import choirbook_server
from choirbook_perf.closedloop import Count, loading
from choirbook_perf.environment import environment
from choirbook_perf.errors import OutputFailed, ToolMissing
from choirbook_perf.output import write_text
from choirbook_perf.probe import HttpProbe, McpProbe
from choirbook_perf.profiling.profiles import SLOWEST, CountedDrive, Profile, Sampling, Stage
from choirbook_perf.profiling.pyspy import Recording, find_py_spy, record
from choirbook_perf.profiling.stacks import (
    decode_speedscope,
    shares_of,
    speedscope_without_places,
    svg_without_places,
)
from choirbook_perf.targets import HANDSHAKE_VERSION, HttpTarget, McpTarget, Request, Session

SVG_NAME, SPEEDSCOPE_NAME, RESULT_NAME = "profile.svg", "profile.speedscope.json", "profile.json"


class Options(NamedTuple):
    """Options of a profile."""

    pid: int | None
    """Process id of a running server; None starts a Choirbook."""
    url: str | None
    """URL to load; None with a `pid` generates no load."""
    library: Path | None
    protocol: str
    """`http`, `mcp`, or `all` for both, MCP in both eras."""
    duration_s: int
    rate_hz: int
    connections: int
    all_threads: bool
    out: Path


class _Stages(msgspec.Struct, frozen=True):
    document_bytes: int
    stages: list[Stage]


class _Calls(msgspec.Struct, frozen=True):
    drives: list[CountedDrive]


_Told = TypeVar("_Told", _Stages, _Calls)


def sample(options: Options) -> Profile:
    """Sample a server, write flame graph and speedscope file, and measure the stages.

    Raises:
        PerfError: py-spy is missing or lacks permission, there is no such process or server, or the files
            cannot be written.
    """
    # Before a server is started and loaded for nothing.
    find_py_spy()
    _make_directory(options.out)
    started = _now()
    here = environment()
    with _server(options) as (pid, url):
        sampling = _sample(options, pid, url)
    # Afterwards, so that neither disturbs the other.
    measured = _ask_choirbook(_Stages)
    return Profile(
        started=started,
        environment=here,
        sampling=sampling,
        stages=measured.stages,
        document_bytes=measured.document_bytes,
        calls=[],
    )


def count(requests: int) -> Profile:
    """Count the calls of `requests` requests of each kind, and measure the stages."""
    started = _now()
    here = environment()
    counted = _ask_choirbook(_Calls, "--calls", str(requests))
    measured = _ask_choirbook(_Stages)
    return Profile(
        started=started,
        environment=here,
        sampling=None,
        stages=measured.stages,
        document_bytes=measured.document_bytes,
        calls=counted.drives,
    )


@contextmanager
def _server(options: Options) -> Iterator[tuple[int, str | None]]:
    if options.pid is not None:
        yield options.pid, options.url
        return
    with (
        tempfile.TemporaryDirectory(prefix="choirbook-profile-") as scratch,
        choirbook_server.running(Path(scratch) / "server.log", [], {}, options.library) as server,
    ):
        yield server.pid, server.url


def _sample(options: Options, pid: int, url: str | None) -> Sampling:
    with tempfile.TemporaryDirectory(prefix="choirbook-profile-") as directory, ExitStack() as stack:
        speedscope, svg = Path(directory) / SPEEDSCOPE_NAME, Path(directory) / SVG_NAME
        counts: list[Count] = []
        if url is not None:
            counts = stack.enter_context(loading(requests_for(url, options.protocol), options.connections))
        how = Recording(options.duration_s, options.rate_hz, options.all_threads)
        # One after the other: two tracers at once would stop each other's process.
        samples = record(pid, "speedscope", speedscope, how)
        record(pid, "flamegraph", svg, how)
        stack.close()
        data = speedscope.read_bytes()
        write_text(options.out / SPEEDSCOPE_NAME, speedscope_without_places(data).decode())
        write_text(options.out / SVG_NAME, svg_without_places(svg.read_text(encoding="utf-8")))
    return Sampling(
        duration_s=options.duration_s,
        rate_hz=options.rate_hz,
        all_threads=options.all_threads,
        samples=samples,
        load=f"{options.connections} closed-loop connections, protocol {options.protocol}" if counts else "",
        requests=counts[0].answered if counts else 0,
        slowest=shares_of(decode_speedscope(data))[:SLOWEST],
    )


def requests_for(url: str, protocol: str) -> list[Request]:
    """Return reads of every resource that a server lists.

    Args:
        url: URL of the server.
        protocol: `http`, `mcp` or `all`.

    Raises:
        ServerUnreachable: Nothing answers there, or not as a resource server.
        EmptyLibrary: There is nothing to read.
    """
    requests: list[Request] = []
    if protocol in {"http", "all"}:
        probe = HttpProbe(url)
        for listed in probe.listed():
            json = HttpTarget(probe.url).read(listed.address)
            requests += [json, json._replace(headers={**json.headers, "Accept": "text/*"})]
    if protocol in {"mcp", "all"}:
        for era in ("modern", "handshake"):
            found = McpProbe(url, era)
            target = McpTarget(found.url, era)
            session = Session(version=HANDSHAKE_VERSION) if era == "handshake" else Session()
            requests += [session.prepare(target.read(listed.address)) for listed in found.listed()]
    return requests


def _ask_choirbook(kind: type[_Told], *flags: str) -> _Told:
    command = [sys.executable, "-P", "-m", "choirbook", "stages", "--json", *flags]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own command line
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        raise ToolMissing(f"'choirbook stages' failed: {told[-1] if told else 'no output'}")
    return msgspec.json.decode(done.stdout, type=kind)


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputFailed(
            f"{path} cannot be created: {error.strerror}. Choose another directory with --out."
        ) from error


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
