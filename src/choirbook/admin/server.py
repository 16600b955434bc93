"""Exchange <-> HTTP/1.1 over a listening socket that all workers of a server share, for the admin API.

The system gives each connection to a worker that accepts one; connections pending when a worker dies are
accepted by the others. A connection serves one request. h11 knows the protocol; this module moves the
bytes, and bounds them in number and time. docs/adr/0020 explains why it accepts connections itself.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol
from urllib.parse import unquote

import h11

from choirbook.errors import BodyTimeout, InvalidRequest, RequestError
from choirbook.http.exchange import Request, Response
from choirbook.runtime.tasks import end_tasks
from choirbook.servers.asgi.server import AsgiHeaders
from choirbook.servers.unexpected_errors import answer_unexpected
from choirbook.servers.uploads import refuse_long_body, too_long

log = logging.getLogger("choirbook.admin")

MAX_CALLS = 16
"""Maximum number of concurrent calls of a worker; further ones wait. A handful of operators use it."""

MAX_WAITING = 64
"""Maximum number of a worker's connections without an admitted call. Beyond it the oldest of them is closed:
idle connections never keep a call out, and a call arrives within milliseconds."""

MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 16 * 1024
"""Maximum size of a body in bytes: eight times a URI of maximum length."""

REQUEST_S = 5.0
"""Maximum time for a complete request to arrive, in seconds."""

ANSWER_S = 60.0
"""Maximum time for the answer, in seconds: twice what a caller can request."""

SEND_S = 5.0

STOP_S = 2.0
"""Maximum time for calls under way when the server stops, in seconds."""

_RECEIVE_BYTES = 16 * 1024
_DRAINED_BYTES = 4 * 1024 * 1024
_DRAIN_S = 1.0
_RETRY_S = 0.1
_MAX_REASON = 200
_CREDENTIALS = struct.Struct("3i")


class CallProtocol(Protocol):
    """One call, as the surface implements it."""

    def admit(self, request: Request) -> Response | None:
        """Check a request before its body is read; return the refusal, if there is one."""

    async def respond(self, request: Request) -> Response:
        """Carry out an admitted request."""

    def refuse(self, error: RequestError) -> Response:
        """Create the response for an error."""

    def end(self, response: Response) -> None:
        """Record the response."""


class AdminServer:
    """One worker's access to a listening socket.

    Args:
        listener: Listening, non-blocking socket, shared with other processes.
        begin: Begins a call from a given address.
    """

    def __init__(self, listener: socket.socket, begin: Callable[[str], CallProtocol]) -> None:
        self._listener = listener
        self._begin = begin
        self._room = asyncio.Semaphore(MAX_CALLS)
        self._calls: set[asyncio.Task[None]] = set()
        self._waiting: dict[asyncio.Task[None], None] = {}
        """Connections without an admitted call, the oldest first."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to answer, on the running event loop."""
        self._task = asyncio.create_task(self._accept(), name="choirbook-admin")

    async def stop(self) -> None:
        """Accept no more connections; calls under way are finished, or aborted after a while."""
        await end_tasks(self._task)
        await end_tasks(*self._waiting)
        if self._calls:
            await asyncio.wait(self._calls, timeout=STOP_S)
        await end_tasks(*self._calls)
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                # An error of one connection, or of all as descriptors are exhausted: later ones may succeed.
                log.warning("cannot accept an admin connection: %s", error)
                await asyncio.sleep(_RETRY_S)
                continue
            task = asyncio.create_task(self._serve(connection))
            self._calls.add(task)
            task.add_done_callback(self._done)
            self._waiting[task] = None
            if len(self._waiting) > MAX_WAITING:
                oldest = next(iter(self._waiting))
                del self._waiting[oldest]
                oldest.cancel()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._waiting.pop(task, None)

    def _arrived(self) -> None:
        """Record that the call of the current task was admitted."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting.pop(task, None)

    async def _serve(self, connection: socket.socket) -> None:
        with connection:
            call = self._begin(_peer_of(connection))
            http = _HttpConnection(connection)
            try:
                response = await self._answered(call, http)
                if response is None:
                    return
                call.end(response)
                await http.send(response)
            except (OSError, TimeoutError):
                pass  # the client hung up, or does not read its answer
            except Exception:
                log.exception("unexpected error while handling an admin call")

    async def _answered(self, call: CallProtocol, http: _HttpConnection) -> Response | None:
        """Return the response to the request on a connection; None if there is none."""
        try:
            async with asyncio.timeout(REQUEST_S):
                request = await http.read_head()
                if request is None:
                    return None
                refused = call.admit(request)
                if refused is not None:
                    return refused
                self._arrived()
                request.body = await http.read_body()
        except TimeoutError:
            return call.refuse(BodyTimeout(f"The request did not arrive within {REQUEST_S:g} seconds."))
        except RequestError as error:
            return call.refuse(error)
        try:
            async with asyncio.timeout(ANSWER_S), self._room:
                return await call.respond(request)
        except Exception as error:  # noqa: BLE001 - logged there
            return answer_unexpected(error, log, "unexpected error while handling an admin call")


class _HttpConnection:
    """HTTP on one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._is_head = False
        self._length = "0"
        self._loop = asyncio.get_running_loop()

    async def read_head(self) -> Request | None:
        """Return a request without its body; None if the client hangs up before it sends any.

        Raises:
            InvalidRequest: It is malformed.
        """
        event = await self._next()
        if not isinstance(event, h11.Request):
            return None
        self._is_head = event.method == b"HEAD"
        path, _, query = event.target.decode("latin-1").partition("?")
        headers = AsgiHeaders([(name.lower(), value) for name, value in event.headers])
        self._length = headers.get("content-length", "0")
        return Request(event.method.decode("latin-1"), unquote(path), query, headers)

    async def read_body(self) -> bytes:
        """Return the body of the request.

        Raises:
            BodyTooLarge: It is over the limit.
            InvalidRequest: It ends prematurely.
        """
        refuse_long_body(self._length, MAX_BODY_BYTES)
        body = bytearray()
        while isinstance(event := await self._next(), h11.Data):
            body += event.data
            if len(body) > MAX_BODY_BYTES:
                raise too_long(MAX_BODY_BYTES)
        return bytes(body)

    async def send(self, response: Response) -> None:
        """Send a response, and ensure that the client can read it."""
        headers = [(name, value) for name, value in response.headers if name != "connection"]
        headers += [("content-length", str(len(response.body))), ("connection", "close")]
        head = h11.Response(status_code=response.status, headers=headers)
        data = self._protocol.send(head) or b""
        if not self._is_head:
            data += self._protocol.send(h11.Data(data=response.body)) or b""
        async with asyncio.timeout(SEND_S):
            await self._loop.sock_sendall(self._connection, data)
        await self._drain()

    async def _next(self) -> h11.Event:
        try:
            while isinstance(event := self._protocol.next_event(), type):
                if self._protocol.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    await self._loop.sock_sendall(self._connection, self._protocol.send(go_on) or b"")
                self._protocol.receive_data(await self._loop.sock_recv(self._connection, _RECEIVE_BYTES))
        except h11.RemoteProtocolError as error:
            # It quotes the client.
            reason = str(error)[:_MAX_REASON]
            raise InvalidRequest(
                f"This is not an HTTP request that can be answered here: {reason}."
            ) from error
        return event

    async def _drain(self) -> None:
        """Read the rest of a rejected request: closing before that would discard the answer."""
        self._connection.shutdown(socket.SHUT_WR)
        drained = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                while drained < _DRAINED_BYTES:
                    data = await self._loop.sock_recv(self._connection, _RECEIVE_BYTES)
                    if not data:
                        return
                    drained += len(data)


def _peer_of(connection: socket.socket) -> str:
    """Return the system's description of the other end."""
    if connection.family == socket.AF_UNIX:
        # unix(7): as the kernel knows the process, not as it calls itself.
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, user, _ = _CREDENTIALS.unpack(raw)
        return f"pid {pid} of user {user}"
    try:
        host, port, *_ = connection.getpeername()
    except OSError:
        return "a disconnected client"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
