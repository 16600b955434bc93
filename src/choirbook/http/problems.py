"""Errors as problem details (RFC 9457)."""

from __future__ import annotations

from typing import Any

import msgspec

from choirbook.errors import (
    TABLE,
    BodyTimeout,
    BodyTooLarge,
    MethodNotAllowed,
    NotReady,
    Overloaded,
    QuotaExceeded,
    RangeNotSatisfiable,
    RequestError,
    SearchUnavailable,
    Unauthenticated,
)
from choirbook.http.exchange import Read, Response
from choirbook.model import Header

NO_STORE: Header = ("cache-control", "no-store")
NO_SNIFF: Header = ("x-content-type-options", "nosniff")
RETRY_AFTER_S = 2


def problem(error: RequestError, reads: tuple[Read, ...] = ()) -> Response:
    """Create the response for an error.

    The members of the error's `data` become extension members. `type` is omitted: a page about it would say
    no more than the title.
    """
    outcome = TABLE[type(error)]
    document = {"title": outcome.title, "status": outcome.http, "detail": error.message, **(error.data or {})}
    headers: list[Header] = [("content-type", "application/problem+json"), NO_STORE, NO_SNIFF]
    headers += headers_for(error)
    return Response(outcome.http, headers, msgspec.json.encode(document), reads)


def headers_for(error: RequestError) -> list[Header]:
    """Return the headers that an error requires (RFC 9110, section 15; RFC 9112, section 9.6)."""
    headers = _headers_by_data(error, error.data or {})
    if isinstance(error, NotReady | SearchUnavailable | Overloaded | QuotaExceeded):
        headers.append(("retry-after", str(RETRY_AFTER_S)))
    if isinstance(error, BodyTooLarge | BodyTimeout | QuotaExceeded):
        # The rest of the body is not read, so this connection cannot be reused. Servers close it, but do not
        # always say so; a client that does not know would lose its next request. And a peer over its quota
        # gives a connection back.
        headers.append(("connection", "close"))
    return headers


def _headers_by_data(error: RequestError, data: dict[str, Any]) -> list[Header]:
    if isinstance(error, MethodNotAllowed):
        return [("allow", str(data.get("allow", "")))]
    if isinstance(error, Unauthenticated):
        return [("www-authenticate", 'Bearer realm="choirbook admin"')]
    if isinstance(error, RangeNotSatisfiable):
        return [("content-range", f"bytes */{data.get('size', 0)}")]
    return []


def internal_error() -> Response:
    """Create the response to a request that hit an error of Choirbook's own; the log has the traceback."""
    document = {
        "title": "Internal error",
        "status": 500,
        "detail": "The server failed to handle the request. See its log for details.",
    }
    headers: list[Header] = [("content-type", "application/problem+json"), NO_STORE, NO_SNIFF]
    return Response(500, headers, msgspec.json.encode(document))
