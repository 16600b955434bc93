"""CORS: lets pages of allowed origins read responses. Pure.

See https://fetch.spec.whatwg.org/#http-cors-protocol. `http/allowed_hosts` decides which origins are
allowed. Requests without `Origin` never get here. Credentials are never allowed: the server uses none that a
browser adds by itself.
"""

from __future__ import annotations

from functools import partial
from typing import TypeVar

import msgspec

from choirbook.http.deferred import then
from choirbook.http.exchange import Answer, Request, Response, Streaming
from choirbook.model import Header

_Sent = TypeVar("_Sent", bound=Response | Streaming)

_METHODS = "GET, HEAD, POST, DELETE, OPTIONS"

_REQUEST_HEADERS = (
    "accept, accept-language, authorization, baggage, cache-control, content-language, content-type, "
    "if-modified-since, if-none-match, if-range, last-event-id, mcp-method, mcp-name, mcp-protocol-version, "
    "mcp-session-id, range, traceparent, tracestate, x-request-id"
)
_PARAMETER = "mcp-param-"
"""Prefix of headers that carry tool arguments (revision 2026-07-28), so their names depend on the tools."""

_MAX_ASKED = 2048
"""Maximum length of `Access-Control-Request-Headers` to read, in characters."""

_EXPOSED_NAMES = (
    "accept-ranges, allow, content-encoding, content-length, content-range, etag, location, "
    "mcp-protocol-version, mcp-session-id, retry-after, server-timing, warning, www-authenticate, x-cache, "
    "x-request-id"
)
_EXPOSED: Header = ("access-control-expose-headers", _EXPOSED_NAMES)
_MAX_AGE_S = 7200
"""Cache time of a preflight, in seconds; Chromium limits it to two hours."""


def is_preflight(request: Request) -> bool:
    """Return whether a browser asks for permission before it sends the request itself."""
    return request.method == "OPTIONS" and "access-control-request-method" in request.headers


def preflight(request: Request, origin: str) -> Response:
    """Answer a preflight.

    Args:
        request: The preflight.
        origin: Origin that may use the server.
    """
    get = request.headers.get
    asked = (get("access-control-request-headers") or "")[:_MAX_ASKED].lower()
    parameters = [
        name
        for name in (each.strip() for each in asked.split(","))
        if name.startswith(_PARAMETER) and name.replace("-", "").isalnum() and name.isascii()
    ]
    headers: list[Header] = [
        ("access-control-allow-origin", origin),
        ("access-control-allow-methods", _METHODS),
        ("access-control-allow-headers", ", ".join([_REQUEST_HEADERS, *parameters])),
        ("access-control-max-age", str(_MAX_AGE_S)),
        ("vary", "origin, access-control-request-headers, access-control-request-private-network"),
    ]
    if get("access-control-request-private-network") == "true":
        # A public page that calls a server on this machine (https://wicg.github.io/private-network-access/).
        headers.append(("access-control-allow-private-network", "true"))
    return Response(204, headers)


def with_cors(answer: Answer, origin: str) -> Answer:
    """Add CORS headers to an answer, errors and streams included.

    Args:
        answer: Answer to the request.
        origin: Origin that may read it.
    """
    # A cached read gets its headers at once, without the cost of `then`.
    if isinstance(answer, Response):
        return response_with_cors(answer, origin)
    return then(answer, partial(response_with_cors, origin=origin))


def response_with_cors(response: _Sent, origin: str) -> _Sent:
    """Return a copy of a response that pages of an origin may read."""
    # The list of headers may be shared by every hit.
    return msgspec.structs.replace(response, headers=_headers_with_cors(response.headers, origin))


def _headers_with_cors(headers: list[Header], origin: str) -> list[Header]:
    made: list[Header] = [*headers, ("access-control-allow-origin", origin), _EXPOSED]
    if not any(name == "vary" and "origin" in value for name, value in headers):
        made.append(("vary", "origin"))
    return made
