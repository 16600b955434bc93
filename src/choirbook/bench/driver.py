"""App in this process, driven without a server, for the measurements of `stages` and `calls`.

A small library with one document, and objects of the shape that Granian passes to an RSGI app. All code
of Choirbook behind them is real, with metrics and access log enabled; only sockets are missing.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from choirbook.app import Application
from choirbook.errors import ChoirbookError
from choirbook.http.allowed_hosts import LOOPBACK_HOSTS
from choirbook.http.exchange import Headers
from choirbook.library.scanner import load_catalog, open_library
from choirbook.mcp.messages import CLIENT_CAPABILITIES, PROTOCOL_VERSION
from choirbook.mcp.revisions import MODERN, NEWEST_HANDSHAKE
from choirbook.mcp.streamable_http import ENDPOINT
from choirbook.model import Header, ResourceInfo
from choirbook.observe.log_writer import LineWriter
from choirbook.observe.shared_metrics import SharedMetrics
from choirbook.servers.rsgi.server import RsgiExchange, RsgiProtocol, RsgiScope
from choirbook.settings import Settings
from choirbook.uri import path_of

_LINE = "Every rule says when it applies, why, and shows the code that follows it.\n"


class DrivenHeaders(dict[str, str]):
    """Request headers by lower-case name, each with one value."""

    def get_all(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [self[name]] if name in self else []


@dataclass
class DrivenScope:
    """Request as described by a server (`RsgiScope`)."""

    proto: str
    method: str
    path: str
    query_string: str
    headers: Headers
    client: str = "127.0.0.1:1"
    authority: str | None = None


class ReadyBody:
    """A body that is complete when it is awaited (`RequestBody`)."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __await__(self) -> Generator[None, None, bytes]:
        yield from ()
        return self._body

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Call the callback at once."""
        callback(self)

    def result(self) -> bytes:
        """Return the body."""
        return self._body

    def cancel(self) -> bool:
        """Do nothing, as nothing waits for it."""
        return False


class DrivenProtocol:
    """Receiver of an app's answer (`RsgiProtocol`).

    Args:
        body: Body of the request.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.status = 0
        self.sent = b""

    def __call__(self) -> ReadyBody:
        """Return the complete body."""
        return ReadyBody(self._body)

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body in one piece."""
        return self._yield()

    def response_bytes(self, status: int, headers: list[Header], body: bytes) -> None:  # noqa: ARG002
        """Record a response."""
        self.status, self.sent = status, body

    def response_empty(self, status: int, headers: list[Header]) -> None:  # noqa: ARG002
        """Record a response without a body."""
        self.status = status

    async def _yield(self) -> AsyncIterator[bytes]:
        yield self._body


class DrivenExchange:
    """Request as Granian's scheduler represents it (`RsgiExchange`).

    Args:
        scope: Description of the request.
        body: Body of the request.
    """

    __slots__ = ("proto", "scope")

    def __init__(self, scope: DrivenScope, body: bytes) -> None:
        self.scope: RsgiScope = scope
        self.proto: RsgiProtocol = DrivenProtocol(body)

    def taskref(self, task: asyncio.Task[None]) -> None:
        """Do nothing: a hit has no task."""

    def done(self) -> None:
        """Do nothing: the request was answered."""

    def err(self, error: BaseException) -> None:
        """Raise the error of the request."""
        raise error


class DrivenRequest(NamedTuple):
    """One kind of request, to be repeated."""

    name: str
    scope: DrivenScope
    body: bytes


class DrivenApp(NamedTuple):
    """A running app, and the requests for it."""

    app: Application
    settings: Settings
    info: ResourceInfo
    drives: tuple[DrivenRequest, ...]


@asynccontextmanager
async def driven_app(document_bytes: int) -> AsyncIterator[DrivenApp]:
    """Start an app with a library of one document, for as long as the context lasts.

    Args:
        document_bytes: Approximate size of the document.
    """
    with TemporaryDirectory(prefix="choirbook-stages-") as directory, _writer_to_nowhere() as writer:
        root = Path(directory)
        # An old file counts as settled at once; a new one would have to stay the same for a while first.
        _plant(root / "doc.md", document_bytes)
        settings = Settings(root=root, watch=False, rescan_s=3600.0, allowed_hosts=LOOPBACK_HOSTS)
        source, rules = open_library(root, settings.max_document_bytes)
        catalog, _ = load_catalog(source, rules)
        app = Application(settings, source, catalog, SharedMetrics(), writer)
        async with app.lifespan():
            await app.library.wait_ready()
            info = catalog.infos()[0]
            drives = drives_of(info)
            for each in drives:
                await check(app, each)
            yield DrivenApp(app, settings, info, drives)


async def drive(app: Application, what: DrivenRequest) -> DrivenProtocol:
    """Send one request through the app."""
    protocol = DrivenProtocol(what.body)
    await app.__rsgi__(what.scope, protocol)
    return protocol


def hitting(app: Application, what: DrivenRequest) -> Callable[[], None]:
    """Return a call that runs a request through the app in one go: a hit never waits."""
    begin, scope, body = app.begin, what.scope, what.body

    def call() -> None:
        begin(DrivenExchange(scope, body), _must_not_wait)

    return call


def _must_not_wait(_: RsgiExchange, __: Coroutine[Any, Any, None]) -> None:
    raise AssertionError("a hit waited")


async def check(app: Application, what: DrivenRequest) -> None:
    """Send a request and check that it succeeds; this also fills the cache.

    Raises:
        ChoirbookError: It fails.
    """
    protocol = await drive(app, what)
    if protocol.status != 200 or b'"error"' in protocol.sent[:200]:  # noqa: PLR2004 - "OK" in HTTP
        raise ChoirbookError(f"{what.name} was answered with {protocol.status}: {protocol.sent[:200]!r}")


def drives_of(info: ResourceInfo) -> tuple[DrivenRequest, ...]:
    """Return the four usual ways to read a resource."""
    return (
        _get("GET raw", info, {"accept": "text/*"}),
        _get("GET json", info, {}),
        _post("resources/read modern", info, MODERN[0], is_modern=True),
        _post("resources/read handshake", info, NEWEST_HANDSHAKE, is_modern=False),
    )


def _get(name: str, info: ResourceInfo, headers: dict[str, str]) -> DrivenRequest:
    sent = DrivenHeaders({"host": "127.0.0.1:8000", **headers})
    return DrivenRequest(name, DrivenScope("http", "GET", path_of(info.uri), "", sent), b"")


def _post(name: str, info: ResourceInfo, revision: str, *, is_modern: bool) -> DrivenRequest:
    params: dict[str, Any] = {"uri": info.uri}
    headers = {
        "host": "127.0.0.1:8000",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": revision,
    }
    if is_modern:
        headers |= {"mcp-method": "resources/read", "mcp-name": info.uri}
        client = {"io.modelcontextprotocol/clientInfo": {"name": "stages", "version": "1"}}
        params["_meta"] = {PROTOCOL_VERSION: revision, CLIENT_CAPABILITIES: {}, **client}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": params}).encode()
    sent = DrivenHeaders({**headers, "content-length": str(len(body))})
    return DrivenRequest(name, DrivenScope("http", "POST", ENDPOINT, "", sent), body)


def _plant(path: Path, size: int) -> None:
    path.write_text("# A document\n\n" + _LINE * (size // len(_LINE)), encoding="utf-8")
    os.utime(path, (1_700_000_000, 1_700_000_000))


@contextmanager
def _writer_to_nowhere() -> Iterator[LineWriter]:
    descriptor = os.open(os.devnull, os.O_WRONLY)
    try:
        yield LineWriter(descriptor)
    finally:
        os.close(descriptor)


def new_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop of the kind that `choirbook serve` runs on."""
    import uvloop

    return uvloop.new_event_loop()
