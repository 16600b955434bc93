"""Inspection of an MCP server: its era, its identity, its listings, and the requests of a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from itertools import count
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec

from choirbook_perf.access import Access
from choirbook_perf.errors import BadInput, PerfError, ServerUnreachable
from choirbook_perf.http_client import Client, Response
from choirbook_perf.probing.eras import HANDSHAKE, MODERN, Discovered, discovered
from choirbook_perf.probing.listings import Listed, ListedRow, Page, all_rows
from choirbook_perf.probing.parameters import parameters
from choirbook_perf.probing.problems import mcp_problem_of
from choirbook_perf.scenario import Task
from choirbook_perf.targets import (
    FIRST_ID,
    INITIALIZE,
    MODERN_VERSION,
    READ,
    Handshake,
    McpTarget,
    Operation,
    Reply,
    Request,
    Session,
    decode_reply,
    numbered,
    opened,
    resource_type,
    uri_of,
)

_NO_SUCH_PATH = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.METHOD_NOT_ALLOWED})
_ROWS = {
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "tools/list": "tools",
    "prompts/list": "prompts",
}


class Sender(Protocol):
    """A transport of single requests."""

    def send(self, request: Request, /) -> Response:
        """Send a request, and return its response."""
        ...

    def close(self) -> None:
        """End the transport."""
        ...


class _Info(msgspec.Struct, frozen=True):
    name: str = ""
    version: str = ""


class _Meta(msgspec.Struct, frozen=True):
    server: _Info = msgspec.field(name="io.modelcontextprotocol/serverInfo", default=_Info())


class _ServerDescription(msgspec.Struct, frozen=True, rename="camel"):
    """A server's description of itself, in either era."""

    capabilities: dict[str, Any] = {}
    server_info: _Info = _Info()
    meta: _Meta = msgspec.field(name="_meta", default=_Meta())

    def name(self) -> str:
        """Return name and version of the server."""
        info = self.server_info if self.server_info.name else self.meta.server
        return f"{info.name} {info.version}".strip()


class _Values(msgspec.Struct, frozen=True):
    values: list[str] = []


class _Completion(msgspec.Struct, frozen=True):
    completion: _Values = _Values()


_Decoded = TypeVar("_Decoded")


class McpProbe:
    """MCP over HTTP.

    Args:
        url: URL of the endpoint; without a path, `/mcp` is tried, then `/`.
        era: `modern`, `handshake` or `auto`.
        access: Headers of the user and trust in the server.

    Raises:
        ServerUnreachable: Nothing answers there, or it is not MCP; the message names the problem.
    """

    protocol = "mcp"

    def __init__(self, url: str, era: str, access: Access | None = None) -> None:
        self._access = access or Access()
        is_bare = urlsplit(url).path in {"", "/"}
        urls = [f"{url.rstrip('/')}/mcp", f"{url.rstrip('/')}/"] if is_bare else [url]
        self._begin(urls, Client(self._access), era)

    def _begin(self, urls: Sequence[str], sender: Sender, era: str) -> None:
        self.url = urls[0]
        self.era = ""
        self.server = ""
        self.capabilities: frozenset[str] = frozenset()
        self._sender = sender
        self._session = Session()
        self._ids = count(FIRST_ID + 1)
        self._handshake: Handshake | None = None
        self._target = McpTarget(self.url, MODERN)
        self._listed: list[Listed] | None = None
        try:
            self._negotiate(urls, era)
        except BaseException:
            self.close()
            raise

    @property
    def session(self) -> Session:
        """Session of the probe, which others may use until `close`."""
        return self._session

    def close(self) -> None:
        """End the session, and close the connection."""
        try:
            if self._session.id:
                end = self._target.handshake().end
                self._sender.send(self._session.prepare(end))
        except PerfError:
            pass  # a server that is gone has no session either
        finally:
            self._sender.close()

    def send(self, operation: Operation) -> Response:
        """Send an operation. A session that it opens is ended."""
        if not operation.opens_session:
            return self._send(operation.request)
        response = self._sender.send(operation.request)
        session = opened(response.status, response.headers, response.body).session
        if session.id:
            self._sender.send(session.prepare(self._target.handshake().end))
        return response

    def operations(self, task: Task) -> list[Operation]:
        """Return the operations of a task, without the server's content.

        Raises:
            BadInput: The era does not have them.
        """
        if task.operation == READ:
            return [self.read(name, uri_of(name), task) for name in task.resources]
        if task.operation == INITIALIZE:
            if self._handshake is None:
                raise BadInput(
                    f"Task {task.name!r} is initialize, which the modern era does not have. Use --era "
                    "handshake."
                )
            return [self._operation(task, task.operation, self._handshake.initialize)]
        address = task.tool or task.prompt or task.template or task.operation
        return [self._operation(task, address, self._target.call(task.operation, **parameters(task)))]

    def read(self, name: str, uri: str, task: Task) -> Operation:
        """Return the read of a URI."""
        operation = self._operation(task, uri, self._target.read(uri))
        return msgspec.structs.replace(operation, name=name, resource_type=resource_type(uri))

    def _operation(self, task: Task, address: str, request: Request) -> Operation:
        return Operation(
            name=task.name,
            resource_type=task.operation,
            kind=task.operation,
            address=address,
            request=self._access.prepare(request),
            contains=task.expect.contains,
            is_error=task.expect.is_error,
        )

    def handshake(self) -> Handshake | None:
        """Return how each user opens a session, None in the modern era."""
        if self._handshake is None:
            return None
        return Handshake(
            initialize=self._access.prepare(self._handshake.initialize),
            initialized=self._access.prepare(self._handshake.initialized),
            end=self._access.prepare(self._handshake.end),
        )

    def listed(self) -> list[Listed]:
        """Return all resources, page by page."""
        if self._listed is None:
            rows = self.rows("resources/list")
            self._listed = [Listed(row.uri, row.name or row.uri, resource_type(row.uri)) for row in rows]
        return self._listed

    def rows(self, method: str) -> list[ListedRow]:
        """Return all rows of a listing, page by page.

        Args:
            method: Such as `tools/list`.
        """
        return all_rows(lambda cursor: self._page(method, cursor), f"{method} of {self.url}")

    def completions(self, template: str, argument: str) -> list[str]:
        """Return values of a variable of a URI template, none if the server does not complete it."""
        if "completions" not in self.capabilities:
            return []
        task = Task(name="", operation="completion/complete", template=template, argument=argument)
        try:
            return self._result(task.operation, _Completion, **parameters(task)).completion.values
        except ServerUnreachable:
            return []

    def _page(self, method: str, cursor: str | None) -> Page:
        page = self._result(method, dict[str, Any], **({"cursor": cursor} if cursor else {}))
        try:
            rows = msgspec.convert(page.get(_ROWS[method]) or [], list[ListedRow])
            return Page(rows, msgspec.convert(page.get("nextCursor"), str | None))
        except msgspec.ValidationError as error:
            raise ServerUnreachable(
                f"The reply of {self.url} to {method} is malformed: {error}. Correct the server."
            ) from error

    def _negotiate(self, urls: Sequence[str], era: str) -> None:
        found = Discovered(HANDSHAKE)
        if era != HANDSHAKE:
            found = self._discover(urls, era)
            if era == MODERN and found.era != MODERN:
                supported = ", ".join(found.versions) or "an earlier one"
                raise ServerUnreachable(
                    f"{self.url} does not support revision {MODERN_VERSION} of MCP, it supports {supported}. "
                    "Use --era handshake."
                )
            if not found.era:
                raise ServerUnreachable(
                    f"{self.url} supports only revisions {', '.join(found.versions)} of MCP, which this "
                    "version of choirbook does not know. Update choirbook."
                )
        self.era = found.era
        if found.era == HANDSHAKE:
            self._target = McpTarget(self.url, HANDSHAKE)
            self._shake_hands(urls, found.handshake_version)

    def _discover(self, urls: Sequence[str], era: str) -> Discovered:
        response = self._locate(urls, lambda url: McpTarget(url, MODERN).call("server/discover"))
        self._end_unasked(response)
        reply = _reply(response)
        is_refused = response.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
        # A server of the handshake era may answer a question before `initialize` in any way.
        if is_refused or (era == MODERN and reply is None):
            raise mcp_problem_of(response, self.url)
        found = discovered(reply)
        if found.era == MODERN:
            self._target = McpTarget(self.url, MODERN)
            self._introduce(self._decoded(response, _ServerDescription))
        return found

    def _end_unasked(self, response: Response) -> None:
        """End a session that was opened for a question before `initialize`, as the Python SDK 1 does."""
        session = Session(str(response.headers.get("mcp-session-id") or ""))
        if session.id:
            self._sender.send(session.prepare(McpTarget(self.url, HANDSHAKE).handshake().end))

    def _shake_hands(self, urls: Sequence[str], version: str) -> None:
        # The place is known if it was asked before; where it answered nothing of use, all are tried again.
        places = [self.url, *(url for url in urls if url != self.url)]
        response = self._locate(places, lambda url: McpTarget(url, HANDSHAKE).handshake(version).initialize)
        self._target = McpTarget(self.url, HANDSHAKE)
        self._handshake = self._target.handshake(version)
        self._session, failure = opened(*response[:3])
        if failure:
            raise mcp_problem_of(response, self.url)
        self._introduce(self._decoded(response, _ServerDescription))
        self._send(self._handshake.initialized)

    def _locate(self, urls: Sequence[str], request: Callable[[str], Request]) -> Response:
        """Send a request to the first URL that exists, and stay with it."""
        responses = []
        for url in urls:
            response = self._sender.send(request(url))
            if response.status not in _NO_SUCH_PATH or _reply(response) is not None:
                self.url = response.url or url
                return response
            responses.append(response)
        return responses[0]

    def _introduce(self, hello: _ServerDescription) -> None:
        self.server = hello.name()
        self.capabilities = frozenset(hello.capabilities)

    def _send(self, request: Request) -> Response:
        if self._session.id and request.body is not None:
            request = request._replace(body=numbered(request.body, next(self._ids)))
        return self._sender.send(self._session.prepare(request))

    def _result(self, method: str, kind: type[_Decoded], **params: Any) -> _Decoded:
        return self._decoded(self._send(self._target.call(method, **params)), kind)

    def _decoded(self, response: Response, kind: type[_Decoded]) -> _Decoded:
        reply = _reply(response)
        if reply is None or not bytes(reply.result):
            raise mcp_problem_of(response, self.url)
        try:
            return msgspec.json.decode(reply.result, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ServerUnreachable(
                f"A result of {self.url} is malformed: {error}. Correct the server."
            ) from error


def _reply(response: Response) -> Reply | None:
    reply = decode_reply(response.headers, response.body)
    return reply if reply is not None and (bytes(reply.result) or reply.error is not None) else None
