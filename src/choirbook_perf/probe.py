"""Inspection of a server before a load: whether it answers, its identity and its resources. Blocking."""

from __future__ import annotations

import http.client
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from choirbook_perf.errors import EmptyLibrary, ServerUnreachable
from choirbook_perf.http_client import Response, fetch
from choirbook_perf.targets import (
    HANDSHAKE_VERSION,
    MODERN_VERSION,
    UNKNOWN,
    Expected,
    Handshake,
    HttpTarget,
    McpTarget,
    NoContent,
    Operation,
    Reply,
    Request,
    Session,
    content_of,
    decode_reply,
    expected_of,
    opened,
    path_of,
    resource_type,
    uri_of,
)

_MAX_PAGES = 10_000


class Listed(NamedTuple):
    """One resource of a listing."""

    address: str
    name: str
    resource_type: str


class _Row(msgspec.Struct, frozen=True):
    """One row of either listing, with the fields needed here."""

    uri: str
    name: str = ""
    type: str = UNKNOWN
    href: str = ""


class _Page(msgspec.Struct, frozen=True, rename="camel"):
    """A page of either listing."""

    resources: list[_Row]
    next_cursor: str | None = None


class _Info(msgspec.Struct, frozen=True):
    name: str = ""
    version: str = ""


class _Meta(msgspec.Struct, frozen=True):
    server: _Info = msgspec.field(name="io.modelcontextprotocol/serverInfo", default=_Info())


class _Hello(msgspec.Struct, frozen=True, rename="camel"):
    """A server's description of itself, in either era."""

    protocol_version: str = HANDSHAKE_VERSION
    server_info: _Info = _Info()
    meta: _Meta = msgspec.field(name="_meta", default=_Meta())

    def name(self) -> str:
        """Return name and version of the server."""
        info = self.server_info if self.server_info.name else self.meta.server
        return f"{info.name} {info.version}".strip()


class _ApiInfo(msgspec.Struct, frozen=True):
    title: str
    version: str


class _Api(msgspec.Struct, frozen=True):
    """An OpenAPI document, of which only the head is needed."""

    info: _ApiInfo


_Decoded = TypeVar("_Decoded")


class HttpProbe:
    """Plain HTTP, with Choirbook's routes for listings."""

    era = ""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._target = HttpTarget(self.url)
        self.server = self._server()

    def _server(self) -> str:
        response = fetch(self._target.read("/openapi.json"))
        try:
            info = msgspec.json.decode(response.body, type=_Api).info
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return str(response.headers.get("server", ""))
        return f"{info.title} {info.version}".strip()

    @staticmethod
    def address(name: str) -> str:
        """Return the path of a resource as a scenario names it."""
        return path_of(name)

    def failure(self, name: str) -> str:
        """Return why a resource cannot be read, "" if it can."""
        return self._target.judge(*fetch(self._target.read(path_of(name)))).failure

    def operation(self, name: str, kind: str, address: str) -> Operation:
        """Return the read of a path, with the content that it has now."""
        request = self._target.read(address)
        contents = [_content("http", fetch(request)) for _ in range(2)]
        return Operation(
            name=name,
            resource_type=kind,
            kind="http",
            address=address,
            request=request,
            expected=_expected(contents),
        )

    @staticmethod
    def handshake() -> Handshake | None:
        """Return None: there are no sessions."""
        return None

    def listed(self) -> list[Listed]:
        """Return all resources of Choirbook's listing, page by page."""
        found: list[Listed] = []
        path = "/mcp/resources"
        for _ in range(_MAX_PAGES):
            page = self._page(path)
            found += [Listed(row.href, row.name or row.href, row.type) for row in page.resources if row.href]
            if not page.next_cursor:
                break
            path = f"/mcp/resources?cursor={quote(page.next_cursor, safe='')}"
        return _not_empty(found, self.url)

    def _page(self, path: str) -> _Page:
        response = fetch(self._target.read(path))
        try:
            if response.status == http.client.OK:
                return msgspec.json.decode(response.body, type=_Page)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass  # reported below
        raise ServerUnreachable(
            f"{self.url} answers, but {path} is not a list of resources (status {response.status}). Name "
            "the paths to read with --scenario, or use --protocol mcp with the URL of an MCP endpoint."
        )


class McpProbe:
    """MCP: determines the era, initializes if needed, and lists."""

    def __init__(self, url: str, era: str) -> None:
        self.url = url if urlsplit(url).path not in {"", "/"} else f"{url.rstrip('/')}/mcp"
        self.server = ""
        self.session = Session()
        self._target = McpTarget(self.url, "modern")
        self._listed: list[Listed] | None = None
        if era != "handshake" and self._discover():
            self.era = "modern"
        elif era == "modern":
            raise ServerUnreachable(
                f"{self.url} does not serve MCP {MODERN_VERSION} (server/discover failed). Use --era "
                "handshake or auto, or pass the URL of its MCP endpoint."
            )
        else:
            self.era = "handshake"
            self._shake_hands()

    @staticmethod
    def address(name: str) -> str:
        """Return the URI of a resource as a scenario names it."""
        return uri_of(name)

    def failure(self, name: str) -> str:
        """Return why a resource cannot be read, "" if it can."""
        return self._target.judge(*self._fetch(self._target.read(uri_of(name)))).failure

    def operation(self, name: str, kind: str, address: str) -> Operation:
        """Return the read of a resource, with the content that it has now."""
        request = self._target.read(address)
        contents = [_content("resources/read", self._fetch(request)) for _ in range(2)]
        return Operation(
            name=name,
            resource_type=kind,
            kind="resources/read",
            address=address,
            request=request,
            expected=_expected(contents),
        )

    def handshake(self) -> Handshake | None:
        """Return how each user opens a session."""
        return self._target.handshake() if self.era == "handshake" else None

    def _fetch(self, request: Request) -> Response:
        return fetch(self.session.prepare(request))

    def listed(self) -> list[Listed]:
        """Return all resources, page by page."""
        found: list[Listed] = []
        params: dict[str, Any] = {}
        for _ in range(_MAX_PAGES):
            page = self._decoded(self._fetch(self._target.call("resources/list", **params)), _Page)
            found += [Listed(row.uri, row.name or row.uri, resource_type(row.uri)) for row in page.resources]
            if not page.next_cursor:
                break
            params = {"cursor": page.next_cursor}
        return _not_empty(found, self.url)

    def _discover(self) -> bool:
        response = fetch(self._target.call("server/discover"))
        if not bytes(_reply(response).result):
            return False
        self.server = self._decoded(response, _Hello).name()
        return True

    def _shake_hands(self) -> None:
        self._target = McpTarget(self.url, "handshake")
        steps = self._target.handshake()
        response = fetch(steps.initialize)
        self.session = opened(*response).session
        self.server = self._decoded(response, _Hello).name()
        self._fetch(steps.initialized)

    def _decoded(self, response: Response, kind: type[_Decoded]) -> _Decoded:
        reply = _reply(response)
        try:
            if bytes(reply.result):
                return msgspec.json.decode(reply.result, type=kind)
            told = f": {reply.error.message}" if reply.error else ""
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            told = f": {error}"
        raise ServerUnreachable(
            f"The program at {self.url} is not an MCP server (status {response.status}{told}). Pass the URL "
            "of an MCP endpoint, such as http://127.0.0.1:8000/mcp, or use --protocol http."
        )


def _content(kind: str, response: Response) -> bytes | None:
    try:
        return content_of(kind, *response)
    except NoContent:
        return None


def _expected(contents: list[bytes | None]) -> Expected | None:
    """Return what was read if it was the same each time."""
    first, *others = contents
    return expected_of(first) if first is not None and all(each == first for each in others) else None


def _reply(response: Response) -> Reply:
    return decode_reply(response.headers, response.body) or Reply()


def _not_empty(found: list[Listed], url: str) -> list[Listed]:
    if not found:
        raise EmptyLibrary(
            f"The server at {url} lists no resources, so there is nothing to read. Add documents to its "
            "library."
        )
    return found
