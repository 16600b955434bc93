"""Ids that correlate the log lines of one request, here and elsewhere: request id and trace id. Pure."""

from __future__ import annotations

import re
import secrets
from itertools import count

from choirbook.http.exchange import Headers

# The formats that proxies use: UUIDs, hashes, Base64, numbers. Anything else might be meant to deceive
# readers of the log.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._~+/=:@-]{1,128}")
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)"
)


class RequestIds:
    """Generator of ids that are unique across processes."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(6)
        self._numbers = count()

    def make(self) -> str:
        """Return the next id."""
        return f"{self._prefix}-{next(self._numbers):x}"


def request_id_of(headers: Headers) -> str | None:
    """Return the id that a client or a proxy gave a request (`X-Request-Id`); None if it is malformed."""
    stated = headers.get("x-request-id")
    return stated if stated is not None and _REQUEST_ID.fullmatch(stated) else None


def trace_id_of(headers: Headers) -> str | None:
    """Return the id of the trace that a request belongs to; None if there is none, or it is malformed.

    Source: W3C Trace Context, "traceparent Header".
    """
    stated = headers.get("traceparent")
    found = None if stated is None else _TRACEPARENT.match(stated)
    return None if found is None else found[1]


def fields_of(headers: Headers) -> dict[str, str]:
    """Return the request's ids as fields of its log lines."""
    found = {"request_id": request_id_of(headers), "trace_id": trace_id_of(headers)}
    return {name: value for name, value in found.items() if value is not None}
