"""What puts the lines of one request together, here and at others: its id, and that of its trace. Pure."""

from __future__ import annotations

import re
import secrets
from itertools import count

from choirbook.http.exchange import Headers

# What proxies make: UUIDs, hashes, Base64, numbers. Anything else might be meant for the reader of the log.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._~+/=:@-]{1,128}")
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)"
)


class RequestIds:
    """Makes ids that no other process makes."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(6)
        self._numbers = count()

    def make(self) -> str:
        """Return the next one."""
        return f"{self._prefix}-{next(self._numbers):x}"


def request_id_of(headers: Headers) -> str | None:
    """Return the id that a client or a proxy gave a request (`X-Request-Id`); None when it is malformed."""
    stated = headers.get("x-request-id")
    return stated if stated is not None and _REQUEST_ID.fullmatch(stated) else None


def trace_id_of(headers: Headers) -> str | None:
    """Return the id of the trace that a request is part of; None when there is none, or it is malformed.

    Source: W3C Trace Context, "traceparent Header".
    """
    stated = headers.get("traceparent")
    found = None if stated is None else _TRACEPARENT.match(stated)
    return None if found is None else found[1]


def fields_of(headers: Headers) -> dict[str, str]:
    """Return what a line about a request says of it."""
    found = {"request_id": request_id_of(headers), "trace_id": trace_id_of(headers)}
    return {name: value for name, value in found.items() if value is not None}
