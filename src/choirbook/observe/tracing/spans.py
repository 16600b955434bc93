"""Spans of a sent response. Pure; knows no OpenTelemetry.

Names and attributes follow the semantic conventions for HTTP servers and for MCP, as of 2026-11;
attributes that they do not define begin with `choirbook.`. Omitted on purpose: `mcp.session.id`, as anyone
who knows the id of a session can use it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from choirbook.errors import Era
from choirbook.http.exchange import MAX_LOGGED_URI, FailedRead, Headers, Read, Request
from choirbook.mcp.messages import Message, decode
from choirbook.mcp.operations import TOOL_ERROR
from choirbook.mcp.protocol import accept_piped, accept_posted, version_headers
from choirbook.mcp.streamable_http import ENDPOINT
from choirbook.model import Reading, ServedFrom, StageName
from choirbook.observe.batch import Sent
from choirbook.observe.tracing.sampling import TraceNote

Attributes = dict[str, str | int | bool]

RouteOf = Callable[[str], str | None]
"""Returns the route name of a path; None if there is none."""

_MAX_NAME = 64
"""Maximum characters kept of a client's text that should be a name."""

_HTTP_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"})
_OTHER = "_OTHER"
_METHOD_NOT_FOUND = "-32601"
_SERVER_FAULT = 500
_TARGETS = {"tools/call": "gen_ai.tool.name", "prompts/get": "gen_ai.prompt.name"}
"""Methods whose parameter `name` is in the span's name, with the attribute for it."""


class Span(msgspec.Struct):
    """A span with its children. Times are of the monotonic clock."""

    name: str
    start_s: float
    end_s: float
    attributes: Attributes = {}
    is_server: bool = False
    error: str | None = None
    """Error as in `error.type`; None on success."""
    children: list[Span] = []


class _HandlingTime(NamedTuple):
    """Start and end of the handling of a request, of the monotonic clock."""

    start_s: float
    end_s: float


def span_of(sent: Sent, route_of: RouteOf) -> Span:
    """Return the span of a request, with children for its reads and for sending.

    Args:
        sent: The response; without a mark less is known of its request.
        route_of: See `RouteOf`.
    """
    note = sent.mark if isinstance(sent.mark, TraceNote) else None
    answered = _HandlingTime(sent.start_s, _answered_s(sent, note))
    span = Span("request", sent.start_s, sent.end_s, {}, is_server=True)
    if note is None:
        span.attributes["http.response.status_code"] = sent.status
    elif note.request is None:
        span.attributes["network.transport"] = "pipe"
        _describe_message(span, note.message, None, sent)
    else:
        _describe_request(span, note.request, sent, route_of)
    lookup_s = note.lookup_s if note is not None else None
    span.children = [_span_of_read(read, answered, lookup_s) for read in sent.reads]
    size: Attributes = {"http.response.body.size": sent.body_bytes}
    span.children.append(Span("send", answered.end_s, sent.end_s, size))
    return span


def _answered_s(sent: Sent, note: TraceNote | None) -> float:
    if note is not None:
        return note.answered_s
    ends_s = [
        stage.start_s + stage.duration_s
        for read in sent.reads
        if isinstance(read, Reading)
        for stage in read.stages
    ]
    return max(ends_s, default=sent.end_s)


def _describe_request(span: Span, request: Request, sent: Sent, route_of: RouteOf) -> None:
    attributes, method = span.attributes, request.method
    if method not in _HTTP_METHODS:
        attributes["http.request.method_original"] = method[:_MAX_NAME]
        method = _OTHER
    route = route_of(request.path)
    attributes |= {
        "http.request.method": method,
        "url.scheme": "http",
        "url.path": request.path[:MAX_LOGGED_URI],
        "http.response.status_code": sent.status,
        "network.transport": "tcp",
        "network.protocol.name": "http",
    }
    for name, value in (
        ("http.route", route),
        ("url.query", request.query),
        ("user_agent.original", request.headers.get("user-agent")),
        ("server.address", _host_of(request.headers)),
    ):
        if value:
            attributes[name] = value[:MAX_LOGGED_URI]
    span.name = f"{'HTTP' if method == _OTHER else method} {route}" if route else "HTTP"
    if sent.status >= _SERVER_FAULT:
        span.error = str(sent.status)
    if request.path == ENDPOINT and method == "POST":
        _describe_message(span, request.body, request.headers, sent)


def _host_of(headers: Headers) -> str:
    """Return the server name that the client used, without its port."""
    host: str = headers.get("host", "")
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _describe_message(span: Span, source: bytes, headers: Headers | None, sent: Sent) -> None:
    message = decode(source)
    if not isinstance(message, Message):
        # A batch is named by its route; so is a rejected request.
        return
    error = next((each.error for each in sent.operations), "")
    call = accept_piped(message) if headers is None else accept_posted(message, headers)
    attributes = span.attributes
    attributes |= {
        "mcp.method.name": message.method[:_MAX_NAME],
        "jsonrpc.protocol.version": "2.0",
        "choirbook.era": call.era.value,
    }
    if message.id is not None:
        attributes["jsonrpc.request.id"] = message.id.decode().strip('"')
    revision = _revision(message, call.era, headers)
    if revision:
        attributes["mcp.protocol.version"] = revision[:_MAX_NAME]
    uri, name = message.params.uri, message.params.name
    if isinstance(uri, str):
        attributes["mcp.resource.uri"] = uri[:MAX_LOGGED_URI]
    if message.method == "tools/call":
        attributes["gen_ai.operation.name"] = "execute_tool"
    if message.method in _TARGETS and isinstance(name, str):
        attributes[_TARGETS[message.method]] = name[:_MAX_NAME]
    span.name = _name_of(message, error)
    if error:
        span.error = error
        if error != TOOL_ERROR:
            attributes["rpc.response.status_code"] = error


def _name_of(message: Message, error: str) -> str:
    """Return the name of a call such that clients cannot invent names: unknown ones are omitted."""
    if error == _METHOD_NOT_FOUND:
        return _OTHER
    if error in {"", TOOL_ERROR} and message.method in _TARGETS and isinstance(message.params.name, str):
        return f"{message.method} {message.params.name[:_MAX_NAME]}"
    return message.method[:_MAX_NAME]


def _revision(message: Message, era: Era, headers: Headers | None) -> str:
    meta = message.params.meta
    if era is Era.MODERN:
        claimed = None if isinstance(meta, msgspec.UnsetType) else meta.protocol_version
    else:
        claimed = message.params.protocol_version
    if isinstance(claimed, str):
        return claimed
    return next(iter(version_headers(headers)), "").strip() if headers is not None else ""


def _span_of_read(read: Read, answered: _HandlingTime, lookup_s: float | None) -> Span:
    start_s, end_s = answered
    if isinstance(read, FailedRead):
        attributes: Attributes = {"mcp.resource.uri": read.uri, "choirbook.cache.result": "none"}
        return Span("library.read", start_s, end_s, attributes, error=read.reason)
    info = read.info
    attributes = {
        "mcp.resource.uri": info.uri,
        "choirbook.resource.type": info.type,
        "choirbook.resource.size": info.size,
        "choirbook.cache.result": ServedFrom.HIT.value,
    }
    span = Span("library.read", start_s, end_s, attributes)
    if not isinstance(read, Reading):
        attributes["choirbook.read.revalidated"] = True
        return span
    attributes["choirbook.cache.result"] = read.served_from.value
    attributes["choirbook.representation.size"] = len(read.representation.body)
    if read.stages:
        span.children = _spans_of_stages(read, answered.start_s)
        span.start_s = read.stages[0].start_s
        span.end_s = max(child.end_s for child in span.children)
    elif lookup_s is not None:
        span.start_s = end_s - lookup_s
        span.children = [Span(StageName.CACHE_MEMORY, span.start_s, end_s)]
    return span


def _spans_of_stages(read: Reading, asked_s: float) -> list[Span]:
    spans = []
    for stage in read.stages:
        span = Span(stage.name, stage.start_s, stage.start_s + stage.duration_s, {})
        if stage.start_s < asked_s:
            # Load of another reader, which this one waited for.
            span.attributes["choirbook.load.joined"] = True
        spans.append(span)
    return spans
