"""Requests for a server, its sessions, and the evaluation of its responses. Pure.

Independent of the transport: the probe has a blocking client, the load generators have their own.
"""

from choirbook_perf.targets.judging import Judge, Judged, NoContent, content_of, expected_of, judge
from choirbook_perf.targets.names import path_of, resource_type, uri_of
from choirbook_perf.targets.operations import (
    CALL_TOOL,
    FIRST_ID,
    HTTP,
    INITIALIZE,
    READ,
    Expected,
    Operation,
    Request,
    is_call,
    numbered,
)
from choirbook_perf.targets.replies import (
    UNKNOWN,
    EventStream,
    Headers,
    Reply,
    cache_result,
    decode_reply,
    is_event_stream,
    reply_of_event,
)
from choirbook_perf.targets.requests import HANDSHAKE_VERSION, MODERN_VERSION, HttpTarget, McpTarget
from choirbook_perf.targets.sessions import Handshake, Opened, Session, opened

__all__ = [
    "CALL_TOOL",
    "FIRST_ID",
    "HANDSHAKE_VERSION",
    "HTTP",
    "INITIALIZE",
    "MODERN_VERSION",
    "READ",
    "UNKNOWN",
    "EventStream",
    "Expected",
    "Handshake",
    "Headers",
    "HttpTarget",
    "Judge",
    "Judged",
    "McpTarget",
    "NoContent",
    "Opened",
    "Operation",
    "Reply",
    "Request",
    "Session",
    "cache_result",
    "content_of",
    "decode_reply",
    "expected_of",
    "is_call",
    "is_event_stream",
    "judge",
    "numbered",
    "opened",
    "path_of",
    "reply_of_event",
    "resource_type",
    "uri_of",
]
