"""Server-sent events: framing of messages on a stream that stays open. Pure.

The format is HTML's,
https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from choirbook.http.problems import NO_SNIFF, NO_STORE
from choirbook.model import Header

MEDIA_TYPE = "text/event-stream"

HEADERS: list[Header] = [
    ("content-type", MEDIA_TYPE),
    NO_STORE,
    # nginx and similar proxies buffer a response until it is complete, unless this header forbids it.
    ("x-accel-buffering", "no"),
    NO_SNIFF,
]

KEEP_ALIVE = b":\n\n"
"""A comment: clients ignore it, and proxies see that the connection is in use."""

_LINE_END = re.compile(rb"\r\n|\r|\n")


def events(messages: Iterable[bytes]) -> bytes:
    """Frame messages, one event each.

    Args:
        messages: UTF-8 text; line ends within one become line feeds, as the format requires.
    """
    return b"".join([_event(message) for message in messages])


def _event(message: bytes) -> bytes:
    if b"\n" in message or b"\r" in message:
        message = b"\ndata: ".join(_LINE_END.split(message))
    return b"event: message\ndata: " + message + b"\n\n"
