"""Inspection of a server over plain HTTP, with Choirbook's routes for listings."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote, urlsplit

import msgspec

from choirbook_perf.access import Access
from choirbook_perf.errors import BadInput, ServerUnreachable
from choirbook_perf.http_client import Client, Response
from choirbook_perf.probing.listings import Listed, ListedRow, Page, all_rows
from choirbook_perf.probing.problems import problem_of
from choirbook_perf.scenario import Task
from choirbook_perf.targets import (
    HTTP,
    READ,
    Handshake,
    HttpTarget,
    Operation,
    path_of,
    resource_type,
)

_LISTING = "/mcp/resources"


class _ApiInfo(msgspec.Struct, frozen=True):
    title: str
    version: str


class _Api(msgspec.Struct, frozen=True):
    """An OpenAPI document, of which only the head is needed."""

    info: _ApiInfo


class _Listing(msgspec.Struct, frozen=True, rename="camel"):
    resources: list[ListedRow]
    next_cursor: str | None = None


class HttpProbe:
    """Plain HTTP.

    Args:
        url: URL of the server; paths are below its path, and an endpoint `/mcp` at its end is left out.
        access: Headers of the user and trust in the server.

    Raises:
        ServerUnreachable: Nothing answers there.
    """

    protocol = "http"
    era = ""

    def __init__(self, url: str, access: Access | None = None) -> None:
        parts = urlsplit(url)
        base = parts.path.rstrip("/").removesuffix("/mcp")
        self.url = f"{parts.scheme}://{parts.netloc}{base}"
        self._access = access or Access()
        self._client = Client(self._access)
        self._target = HttpTarget(self.url)
        self._listed: list[Listed] | None = None
        self.server = self._server()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _server(self) -> str:
        response = self._client.send(self._target.read("/openapi.json"))
        try:
            info = msgspec.json.decode(response.body, type=_Api).info
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return str(response.headers.get("server", "") or "")
        return f"{info.title} {info.version}".strip()

    def send(self, operation: Operation) -> Response:
        """Send an operation."""
        return self._client.send(operation.request)

    def operations(self, task: Task) -> list[Operation]:
        """Return the operations of a task, without the server's content.

        Raises:
            BadInput: Plain HTTP does not have them.
        """
        if task.operation != READ:
            raise BadInput(
                f"Task {task.name!r} is {task.operation}, which plain HTTP does not have. Use --protocol mcp."
            )
        return [self.read(name, path_of(name), task) for name in task.resources]

    def read(self, name: str, path: str, task: Task) -> Operation:
        """Return the read of a path."""
        return Operation(
            name=name,
            resource_type=resource_type(path),
            kind=HTTP,
            address=path,
            request=self._access.prepare(self._target.read(path)),
            contains=task.expect.contains,
        )

    @staticmethod
    def handshake() -> Handshake | None:
        """Return None: there are no sessions."""
        return None

    def listed(self) -> list[Listed]:
        """Return all resources of Choirbook's listing, page by page."""
        if self._listed is None:
            rows = all_rows(self._page, f"The listing {_LISTING} of {self.url}")
            self._listed = [Listed(row.href, row.name or row.href, row.type) for row in rows if row.href]
        return self._listed

    def _page(self, cursor: str | None) -> Page:
        query = f"?cursor={quote(cursor, safe='')}" if cursor else ""
        response = self._client.send(self._target.read(_LISTING + query))
        if problem := problem_of(response, self.url + _LISTING):
            raise problem
        try:
            if response.status == HTTPStatus.OK:
                page = msgspec.json.decode(response.body, type=_Listing)
                return Page(page.resources, page.next_cursor)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass  # reported below
        raise ServerUnreachable(
            f"{self.url} answers, but {_LISTING} is not a list of resources (status {response.status}). Name "
            "the paths to read with --scenario, or use --protocol mcp with the URL of an MCP endpoint."
        )
