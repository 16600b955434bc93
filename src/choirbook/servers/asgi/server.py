"""Exchange <-> ASGI: for Uvicorn and others, or mounted in a FastAPI or Starlette app."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from time import monotonic
from typing import Any

import msgspec

from choirbook.errors import BodyTimeout, InvalidUri, RequestError
from choirbook.http.exchange import AddCors, Answer, Record, Request, Response, Streaming, without_cors
from choirbook.http.problems import problem
from choirbook.http.request_ids import fields_of
from choirbook.servers.asgi.streams import Receive, Send, encode_headers, stream_response
from choirbook.servers.request_limits import RequestLimits
from choirbook.servers.unexpected_errors import answer_unexpected
from choirbook.servers.uploads import refuse_long_body, too_long

log = logging.getLogger("choirbook.servers.asgi")

Scope = MutableMapping[str, Any]


class AsgiHeaders:
    """Headers of a scope, decoded on access."""

    __slots__ = ("_raw",)

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        self._raw = raw

    def get(self, name: str, default: Any = None) -> Any:
        """Return the first value of a header, or the default."""
        wanted = name.encode()
        for key, value in self._raw:
            if key == wanted:
                return value.decode("latin-1")
        return default

    def get_all(self, name: str) -> list[str]:
        """Return all values of a header."""
        wanted = name.encode()
        return [value.decode("latin-1") for key, value in self._raw if key == wanted]

    def __contains__(self, name: object) -> bool:
        """Return whether a header is present."""
        wanted = str(name).encode()
        return any(key == wanted for key, _ in self._raw)


class ClientGone(Exception):
    """The client hung up before its body had arrived."""


class AsgiConnection(msgspec.Struct, frozen=True):
    """The connection of an ASGI request."""

    address: tuple[str, int] | None
    authority: str | None = None
    """ASGI does not provide it."""

    @property
    def client(self) -> str:
        """Address and port of the client; empty if the server does not provide them."""
        return "" if self.address is None else f"[{self.address[0]}]:{self.address[1]}"


class AsgiServer:
    """Answers ASGI requests.

    Args:
        respond: Answers a request.
        record: Called after each response, see `Record`.
        start: Starts the app; called before each request, as a mounted app gets no lifespan events.
        stop: Stops the app.
        max_body_bytes: Maximum size of a body; a longer one is rejected.
        body_timeout_s: Maximum time for a body to arrive, in seconds.
        stall_s: Time after which a client that reads nothing of its stream is disconnected, in seconds.
        request_limits: Limit on the waiting requests of one peer.
        add_cors: Adds CORS headers to a response that is created here, see `Router.add_cors`.
    """

    def __init__(
        self,
        respond: Callable[[Request], Answer],
        record: Record,
        start: Callable[[], Awaitable[None]],
        stop: Callable[[], Awaitable[None]],
        max_body_bytes: int,
        body_timeout_s: float,
        stall_s: float,
        request_limits: RequestLimits,
        add_cors: AddCors = without_cors,
    ) -> None:
        self._request_limits = request_limits
        self._add_cors = add_cors
        self._respond = respond
        self._record = record
        self._start = start
        self._stop = stop
        self._max_body_bytes = max_body_bytes
        self._body_timeout_s = body_timeout_s
        self._stall_s = stall_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
        elif scope["type"] == "http":
            await self._start()
            await self._serve_request(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        start_s = monotonic()
        headers = AsgiHeaders(scope["headers"])
        request: Request | None = None
        try:
            _check_path(scope)
            body = b""
            if scope["method"] == "POST":
                length = headers.get("content-length")
                if length is not None:
                    refuse_long_body(length, self._max_body_bytes)
                body = await self._read_body(receive)
                start_s = monotonic()
            query = scope.get("query_string", b"").decode("latin-1")
            request = Request(
                scope["method"],
                _path_of(scope),
                query,
                headers,
                body,
                AsgiConnection(scope.get("client")),
                scope.get("root_path", "").rstrip("/"),
            )
            answer = self._respond(request)
            response = (
                answer if isinstance(answer, Response) else await self._request_limits.admit(request, answer)
            )
        except ClientGone:
            return
        except RequestError as error:
            response = self._add_cors(headers, problem(error))
        except Exception as error:  # noqa: BLE001 - logged there
            what = "unexpected error while handling a request"
            response = self._add_cors(headers, answer_unexpected(error, log, what, fields_of(headers)))
        if isinstance(response, Streaming):
            opened = Response(response.status, response.headers, operations=response.operations)
            self._record(opened, start_s, request)
            del answer, body, headers, request
            await stream_response(response, receive, send, self._stall_s)
            return
        await _send_response(response, send)
        self._record(response, start_s, request)

    async def _read_body(self, receive: Receive) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_timeout_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    body += message.get("body", b"")
                    if len(body) > self._max_body_bytes:
                        raise too_long(self._max_body_bytes)
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise BodyTimeout("The body did not arrive in time. Send it without pauses.") from None


def _check_path(scope: Scope) -> None:
    """Reject an encoded slash: once decoded it could not be distinguished from a separator.

    Raises:
        InvalidUri: The path has one.
    """
    raw: bytes | None = scope.get("raw_path")
    if raw is not None and b"%2f" in raw.partition(b"?")[0].lower():
        raise InvalidUri("The path has an encoded slash (%2F). Write a slash, or percent-encode the '%' too.")


def _path_of(scope: Scope) -> str:
    """Return the path below the mount point of the app."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path.removeprefix(root) if root and path.startswith(root + "/") else path


async def _send_response(response: Response, send: Send) -> None:
    headers = encode_headers(response.headers)
    if response.status not in {204, 304} and not any(name == b"content-length" for name, _ in headers):
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
