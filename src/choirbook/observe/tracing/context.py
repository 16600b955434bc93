"""Trace context of a request: W3C Trace Context, in an HTTP header or in `_meta` of MCP. Pure.

A malformed context counts as absent, so a new trace begins; it never fails a request. Baggage is not read: it
has no use here, and may hold anything.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

MEMBER = b'"traceparent"'
"""Text in every message that has a trace context."""

_MAX_STATE_CHARACTERS = 512
"""Minimum length of `tracestate` that must be propagated (Trace Context, section 3.3.1.5); longer ones are
dropped."""

# Trace Context level 2, section 3.2.2. A later version may append fields after the flags.
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?\Z")
_SAMPLED = 1


class TraceContext(NamedTuple):
    """Span of a caller."""

    trace_id: int
    span_id: int
    is_sampled: bool
    state: str = ""
    """Header `tracestate`, as sent."""


def parse_context(traceparent: str, tracestate: str = "") -> TraceContext | None:
    """Parse a `traceparent`; None if it is malformed.

    Args:
        traceparent: As a client sent it.
        tracestate: Value sent with it, whatever it is.
    """
    match = _TRACEPARENT.match(traceparent.strip(" \t"))
    if match is None or (match[1] == "00" and match[5] is not None):
        return None
    trace_id, span_id, flags = int(match[2], 16), int(match[3], 16), int(match[4], 16)
    if not trace_id or not span_id:
        return None
    state = tracestate if len(tracestate) <= _MAX_STATE_CHARACTERS else ""
    return TraceContext(trace_id, span_id, bool(flags & _SAMPLED), state)


class _Meta(msgspec.Struct, frozen=True):
    # Any type: a member that is not a string is no reason to reject the message.
    traceparent: Any = None
    tracestate: Any = None


class _Params(msgspec.Struct, frozen=True):
    meta: _Meta = msgspec.field(default=_Meta(), name="_meta")


class _Message(msgspec.Struct, frozen=True):
    params: _Params = _Params()


_decoder = msgspec.json.Decoder(_Message)


def context_of_message(source: bytes) -> TraceContext | None:
    """Parse the context in `params._meta` of a message (MCP 2026-07-28, basic/index, "_meta"; SEP-414).

    Args:
        source: Any JSON text; a batch has no context.
    """
    try:
        meta = _decoder.decode(source).params.meta
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(meta.traceparent, str):
        return None
    return parse_context(meta.traceparent, meta.tracestate if isinstance(meta.tracestate, str) else "")
