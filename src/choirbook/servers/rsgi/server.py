"""Exchange <-> RSGI, the interface of Granian: the fast path, used by `choirbook serve`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from time import monotonic
from typing import Any, Protocol, TypeVar, cast

from msgspec.structs import replace

from choirbook.errors import InvalidRequest, RequestError
from choirbook.http.deferred import then
from choirbook.http.exchange import (
    AddCors,
    Answer,
    Headers,
    Record,
    Request,
    Response,
    Streaming,
    without_cors,
)
from choirbook.http.problems import problem
from choirbook.http.request_ids import fields_of
from choirbook.model import Header
from choirbook.servers.request_limits import RequestLimits
from choirbook.servers.rsgi.backpressure import Backpressure
from choirbook.servers.rsgi.streams import ConnectionAddresses, StreamingProtocol, open_stream
from choirbook.servers.unexpected_errors import answer_unexpected
from choirbook.servers.uploads import BodyWaiter, Uploads, refuse_long_body, too_long

log = logging.getLogger("choirbook.servers.rsgi")

_LAST = ("connection", "close")
_UNEXPECTED = "unexpected error while handling a request"


class RsgiScope(Protocol):
    """Request as described by Granian."""

    method: str
    path: str
    query_string: str
    headers: Headers
    client: str
    authority: str | None


class RequestBody(Awaitable[bytes], BodyWaiter, Protocol):
    """A body that can be awaited, and cancelled."""

    def add_done_callback(self, callback: Callable[[Any], None], /) -> None:
        """Register a function to call on the event loop once the body has arrived or was cancelled."""

    def result(self) -> bytes:
        """Return the body.

        Raises:
            RuntimeError: The client hung up.
            asyncio.CancelledError: It was cancelled.
        """


class RsgiProtocol(Protocol):
    """Granian's interface for answers."""

    def __call__(self) -> RequestBody:
        """Return the complete body."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces."""

    def response_bytes(self, status: int, headers: list[Header], body: bytes) -> None:
        """Send a response."""

    def response_empty(self, status: int, headers: list[Header]) -> None:
        """Send a response without a body."""


class RsgiExchange(Protocol):
    """Request as Granian's scheduler represents it."""

    scope: RsgiScope
    proto: RsgiProtocol

    def taskref(self, task: asyncio.Task[None], /) -> None:
        """Keep the task that answers the request."""

    def done(self) -> None:
        """Report that the request was answered."""

    def err(self, error: BaseException, /) -> None:
        """Report why it was not answered."""


PendingAnswer = Coroutine[Any, Any, Response | Streaming]
_Sent = TypeVar("_Sent", bound=Response | Streaming)
Finish = Callable[[RsgiExchange, Coroutine[Any, Any, None]], None]
Begin = Callable[[RsgiExchange, Finish], None]


class RsgiServer:
    """Answers RSGI requests.

    Args:
        respond: Answers a request.
        record: Called after each response, see `Record`.
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
        max_body_bytes: int,
        body_timeout_s: float,
        stall_s: float,
        request_limits: RequestLimits,
        add_cors: AddCors = without_cors,
    ) -> None:
        self._request_limits = request_limits
        self._respond = respond
        self._record = record
        self._add_cors = add_cors
        self._max_body_bytes = max_body_bytes
        self._digits_to_check = len(str(max_body_bytes))
        self._uploads = Uploads(body_timeout_s, request_limits.uploads)
        self._is_leaving = False
        self._backpressure = Backpressure(stall_s)

    def leave(self) -> None:
        """End every connection with its next answer, so that none ends during a request."""
        if self._is_leaving:
            return
        self._is_leaving = True
        respond = self._respond

        def respond_last(request: Request) -> Answer:
            answer = respond(request)
            return _last(answer) if isinstance(answer, Response) else then(answer, _last)

        self._respond = respond_last

    async def serve(self, scope: RsgiScope, protocol: RsgiProtocol) -> None:
        """Answer one request through RSGI's own interface."""
        method, headers = scope.method, scope.headers
        start_s = monotonic()
        try:
            body = await self._body(scope, headers, protocol) if method == "POST" else b""
        except RequestError as error:
            self._send(self._add_cors(headers, problem(error)), start_s, protocol, None)
            return
        answering = self._answer(scope, method, headers, body, protocol)
        if answering is not None:
            await answering

    def begin(self, exchange: RsgiExchange, finish: Finish) -> None:
        """Answer one request at once if nothing has to be waited for; otherwise finish it in the background.

        Args:
            exchange: The request.
            finish: Runs a coroutine that answers it.
        """
        scope, protocol = exchange.scope, exchange.proto
        # Each of these creates a new object, so it is accessed once.
        method, headers = scope.method, scope.headers
        if method != "POST":
            answering = self._answer(scope, method, headers, b"", protocol)
            if answering is not None:
                finish(exchange, answering)
            return
        length = headers.get("content-length")
        if length is None or len(length) >= self._digits_to_check:
            # Rare, and examined more closely.
            finish(exchange, self.serve(scope, protocol))
            return
        waiter = protocol()
        self._uploads.begin(waiter, scope)
        waiter.add_done_callback(partial(self._go_on, exchange, finish, scope, headers))

    def _go_on(
        self, exchange: RsgiExchange, finish: Finish, scope: RsgiScope, headers: Headers, waiter: RequestBody
    ) -> None:
        """Answer a request whose body has arrived, or was cancelled."""
        self._uploads.end(waiter)
        protocol = exchange.proto
        try:
            body = waiter.result()
        except (RuntimeError, asyncio.CancelledError) as error:
            why = self._why_no_body(waiter, error)
            if isinstance(why, RequestError):
                self._send(self._add_cors(headers, problem(why)), monotonic(), protocol, None)
            else:
                exchange.err(why)
            return
        answering = self._answer(scope, "POST", headers, body, protocol)
        if answering is not None:
            finish(exchange, answering)

    def _answer(
        self, scope: RsgiScope, method: str, headers: Headers, body: bytes, protocol: RsgiProtocol
    ) -> Coroutine[Any, Any, None] | None:
        """Answer a complete request, or return a coroutine that does."""
        start_s = monotonic()
        request = Request(method, scope.path, scope.query_string, headers, body, scope)
        try:
            answer = self._respond(request)
        except Exception as error:  # noqa: BLE001 - logged there
            answer = self._add_cors(headers, answer_unexpected(error, log, _UNEXPECTED, fields_of(headers)))
        if not isinstance(answer, Response):
            return self._finish(answer, request, scope, protocol, start_s)
        protocol.response_bytes(answer.status, answer.headers, answer.body)
        self._record(answer, start_s, request)
        return None

    async def _finish(
        self,
        waiting: PendingAnswer,
        request: Request,
        scope: RsgiScope,
        protocol: RsgiProtocol,
        start_s: float,
    ) -> None:
        try:
            outcome = await self._request_limits.admit(request, waiting)
            if isinstance(outcome, Streaming):
                open_stream(
                    outcome,
                    cast("ConnectionAddresses", scope),
                    cast("StreamingProtocol", protocol),
                    self._backpressure,
                )
                opened = Response(outcome.status, outcome.headers, operations=outcome.operations)
                self._record(opened, start_s, request)
                return
        except RequestError as error:
            outcome = self._add_cors(scope.headers, problem(error))
        except Exception as error:  # noqa: BLE001 - logged there
            failed = answer_unexpected(error, log, _UNEXPECTED, fields_of(scope.headers))
            outcome = self._add_cors(scope.headers, failed)
        self._send(outcome, start_s, protocol, request)

    def _send(
        self, response: Response, start_s: float, protocol: RsgiProtocol, request: Request | None
    ) -> None:
        protocol.response_bytes(response.status, response.headers, response.body)
        self._record(response, start_s, request)

    async def _body(self, scope: RsgiScope, headers: Headers, protocol: RsgiProtocol) -> bytes:
        length = headers.get("content-length")
        if length is not None and len(length) >= self._digits_to_check:
            refuse_long_body(length, self._max_body_bytes)
        # Granian returns as much as has arrived; a checked length limits that.
        waiter = protocol() if length is not None else asyncio.ensure_future(self._gather(protocol))
        self._uploads.begin(waiter, scope)
        try:
            return await waiter
        except (RuntimeError, asyncio.CancelledError) as error:
            raise self._why_no_body(waiter, error) from error
        finally:
            self._uploads.end(waiter)

    def _why_no_body(self, waiter: BodyWaiter, error: BaseException) -> BaseException:
        reason = self._uploads.cancellation_reason(waiter)
        if reason is not None:
            return reason
        if isinstance(error, asyncio.CancelledError):
            return error
        # Granian's ProtocolError and ProtocolClosed, and no others: the client hung up in the middle.
        return InvalidRequest("The body ended before it was complete.")

    async def _gather(self, protocol: RsgiProtocol) -> bytes:
        body = bytearray()
        async for piece in protocol:
            body += piece
            if len(body) > self._max_body_bytes:
                raise too_long(self._max_body_bytes)
        return bytes(body)


def _last(outcome: _Sent) -> _Sent:
    if isinstance(outcome, Streaming):
        return outcome
    return replace(outcome, headers=[*outcome.headers, _LAST])
