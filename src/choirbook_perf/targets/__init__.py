"""What is asked of a server, and what its responses are worth: requests, sessions, content. Pure.

Independent of the transport: the probe sends requests with urllib, the load generators with their own clients.
"""

from choirbook_perf.targets.judging import Judge, Judged, NoContent, content_of, expected_of, judge
from choirbook_perf.targets.names import path_of, resource_type, uri_of
from choirbook_perf.targets.operations import Expected, Operation, Request
from choirbook_perf.targets.replies import UNKNOWN, Headers, Reply, cache_result, decode_reply
from choirbook_perf.targets.requests import HANDSHAKE_VERSION, MODERN_VERSION, HttpTarget, McpTarget
from choirbook_perf.targets.sessions import Handshake, Opened, Session, opened

__all__ = [
    "HANDSHAKE_VERSION",
    "MODERN_VERSION",
    "UNKNOWN",
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
    "judge",
    "opened",
    "path_of",
    "resource_type",
    "uri_of",
]
