"""Sampling decision for each request, and marking of its response with the data that a trace needs.

Wraps the request handlers if tracing is on; otherwise it adds nothing. A request that is not sampled costs
one check for its context and one random number.
"""

from __future__ import annotations

from collections.abc import Coroutine
from random import getrandbits, random
from time import monotonic
from typing import Any, NamedTuple, TypeGuard

import msgspec

from choirbook.cache.lookup_durations import LookupDurations
from choirbook.http.exchange import Answer, Handler, Request, Response, Streaming
from choirbook.mcp.dispatch import CallHandler, Dispatcher
from choirbook.mcp.protocol import Call
from choirbook.model import Reading, ServedFrom
from choirbook.observe.tracing.configuration import Sampling
from choirbook.observe.tracing.context import MEMBER, TraceContext, context_of_message, parse_context

_TRACE_ID_BITS = 128
_ZERO_IS_NO_TRACE_ID = 1

MAX_MESSAGE_BYTES = 16 * 1024
"""Maximum length of a message kept until its span is created, in bytes; the span of a longer one is named by
its route."""


class TraceNote(msgspec.Struct, frozen=True):
    """Data that a trace needs beside the response."""

    trace_id: int
    context: TraceContext | None
    """Context of the caller; None if the trace begins here."""
    answered_s: float
    """Time at which the response was created, of the monotonic clock."""
    request: Request | None
    """Request that came by HTTP."""
    message: bytes = b""
    """Message that came through a pipe."""
    lookup_s: float | None = None
    """Duration of the look-up that produced the answer; None if it is among the reading's stages."""


class _Origin(NamedTuple):
    """Origin of a request."""

    request: Request | None
    message: bytes = b""


class TraceSampler:
    """Marks the responses that are to be traced.

    Args:
        sampling: Decides which requests are traced.
        slow_s: Duration in seconds from which a request that waited is traced in any case.
        lookups: Durations of look-ups in memory.
        reads_context: Whether the trace context of callers is used.
    """

    def __init__(
        self, sampling: Sampling, slow_s: float, lookups: LookupDurations, *, reads_context: bool
    ) -> None:
        self._sampling = sampling
        self._slow_s = slow_s
        self._lookups = lookups
        self._reads_context = reads_context

    def before(self, respond: Handler) -> Handler:
        """Wrap the handler of HTTP requests."""
        takes, reads_context, ratio = self._sampling.takes, self._reads_context, self._sampling.ratio

        def marked(request: Request) -> Answer:
            context = None
            # A message is searched, not parsed: few have a context.
            if reads_context and (request.headers.get("traceparent") is not None or MEMBER in request.body):
                context = context_of(request)
                is_taken = takes(context)
            else:
                # The same as `takes`, without the call.
                is_taken = random() < ratio  # noqa: S311 - nothing secret depends on it
            if is_taken:
                latest_hit_s = self._lookups.latest_hit_s
                return self._mark(respond(request), context, _Origin(request), latest_hit_s)
            answer = respond(request)
            if isinstance(answer, Response):
                return answer
            return self._mark_if_slow(answer, context, _Origin(request))

        return marked

    def before_calls(self, calls: Dispatcher) -> CallHandler:
        """Wrap the handler of calls through a pipe."""
        return _SampledCalls(self, calls)

    def mark_call(self, calls: Dispatcher, call: Call) -> Answer:
        """Carry out a call, and mark its response if it is to be traced."""
        context = None
        if self._reads_context and MEMBER in call.source:
            context = context_of_message(call.source)
        origin = _Origin(None, call.source)
        if self._sampling.takes(context):
            latest_hit_s = self._lookups.latest_hit_s
            return self._mark(calls.carry_out(call), context, origin, latest_hit_s)
        answer = calls.carry_out(call)
        return answer if isinstance(answer, Response) else self._mark_if_slow(answer, context, origin)

    def _mark(
        self, answer: Answer, context: TraceContext | None, origin: _Origin, latest_hit_s: float | None
    ) -> Answer:
        """Mark an answer.

        Args:
            answer: Answer to be traced.
            context: Context of the caller.
            origin: Origin of the request.
            latest_hit_s: Value of `LookupDurations.latest_hit_s` before the request was answered.
        """
        if not isinstance(answer, Response):
            return self._await(answer, context, origin)
        is_hit = len(answer.reads) == 1 and _is_hit(answer.reads[0])
        lookup_s = self._lookups.only_hit_since(latest_hit_s) if is_hit else None
        return _marked(answer, context, origin, lookup_s)

    async def _await(
        self, answer: Coroutine[Any, Any, Response | Streaming], context: TraceContext | None, origin: _Origin
    ) -> Response | Streaming:
        response = await answer
        return response if isinstance(response, Streaming) else _marked(response, context, origin)

    async def _mark_if_slow(
        self, answer: Coroutine[Any, Any, Response | Streaming], context: TraceContext | None, origin: _Origin
    ) -> Response | Streaming:
        start_s = monotonic()
        response = await answer
        if isinstance(response, Streaming) or monotonic() - start_s < self._slow_s:
            return response
        return _marked(response, context, origin)


class _SampledCalls:
    """Carries out calls as the dispatcher does."""

    def __init__(self, sampler: TraceSampler, calls: Dispatcher) -> None:
        self._sampler = sampler
        self._calls = calls
        self.carry_out_batch = calls.carry_out_batch

    def carry_out(self, call: Call) -> Answer:
        """See `Dispatcher.carry_out`."""
        return self._sampler.mark_call(self._calls, call)


def context_of(request: Request) -> TraceContext | None:
    """Return the context of a request: that of its message, or else of its header.

    A proxy with its own traces writes the header, but only the client writes the message, so the latter is
    more specific (semantic conventions for MCP, "Context propagation").
    """
    found = context_of_message(request.body) if MEMBER in request.body else None
    if found is not None:
        return found
    headers = request.headers
    traceparents = headers.get_all("traceparent")
    if len(traceparents) != 1:
        return None
    return parse_context(traceparents[0], ",".join(headers.get_all("tracestate")))


def new_trace_id() -> int:
    """Return the id of a trace that begins here."""
    return getrandbits(_TRACE_ID_BITS) or _ZERO_IS_NO_TRACE_ID


def _is_hit(read: object) -> TypeGuard[Reading]:
    return isinstance(read, Reading) and read.served_from is ServedFrom.HIT


def _marked(
    response: Response, context: TraceContext | None, origin: _Origin, lookup_s: float | None = None
) -> Response:
    trace_id = new_trace_id() if context is None else context.trace_id
    request, message = origin
    if request is not None and len(request.body) > MAX_MESSAGE_BYTES:
        request = msgspec.structs.replace(request, body=b"")
    if len(message) > MAX_MESSAGE_BYTES:
        message = b""
    note = TraceNote(trace_id, context, monotonic(), request, message, lookup_s)
    # Some responses are shared by many requests.
    return msgspec.structs.replace(response, mark=note)
