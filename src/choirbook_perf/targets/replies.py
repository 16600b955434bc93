"""JSON-RPC replies in the bodies of responses, either JSON or a stream of events. Pure."""

from __future__ import annotations

import re
from typing import Any, Protocol

import msgspec

UNKNOWN = "unknown"

_END_OF_EVENT = re.compile(rb"\r?\n\r?\n")
_CACHE_RESULTS = {"hit": "hit", "miss": "miss", "stale": "hit"}  # stale content comes from memory too


class Headers(Protocol):
    """Headers of a response, names in any case."""

    def get(self, name: str, default: Any = None, /) -> Any:
        """Return a header, or the default."""
        ...


class RpcError(msgspec.Struct, frozen=True):
    """The error of a JSON-RPC reply."""

    code: int
    message: str = ""
    data: msgspec.Raw = msgspec.Raw()
    """Empty when there is none."""


class Reply(msgspec.Struct, frozen=True):
    """A JSON-RPC reply, its result not yet decoded."""

    result: msgspec.Raw = msgspec.Raw()
    """Empty when there is none."""
    error: RpcError | None = None


_decode = msgspec.json.Decoder(Reply).decode


class EventStream:
    """A stream of events that is being received, up to its reply.

    A server may leave the stream open afterwards, so its end is not what a client waits for.
    """

    def __init__(self) -> None:
        self.body = bytearray()
        self._event_at = 0

    def feed(self, data: bytes) -> bool:
        """Add bytes of the stream, and return whether the reply is complete."""
        # The end of an event may be split between the last bytes and these.
        searched = max(self._event_at, len(self.body) - 3)
        self.body += data
        while end := _END_OF_EVENT.search(self.body, searched):
            event = bytes(self.body[self._event_at : end.end()])
            self._event_at = searched = end.end()
            if reply_of_event(event) is not None:
                return True
        return False


def decode_reply(headers: Headers, body: bytes) -> Reply | None:
    """Return the JSON-RPC reply in a body, either JSON or a stream of events; None if there is none."""
    if not is_event_stream(headers):
        return _reply(body)
    replies = (reply_of_event(event) for event in body.replace(b"\r\n", b"\n").split(b"\n\n"))
    # A server may send notifications on the same stream before the reply.
    return next((reply for reply in replies if reply is not None), None)


def is_event_stream(headers: Headers) -> bool:
    """Return whether a body is a stream of events."""
    return "text/event-stream" in str(headers.get("content-type", "")).lower()


def reply_of_event(event: bytes) -> Reply | None:
    """Return the reply in one event of a stream, None if it has none, as a notification has none."""
    if b"data:" not in event:
        return None
    reply = _reply(b"\n".join(_data(event.replace(b"\r\n", b"\n"))))
    return reply if reply and (bytes(reply.result) or reply.error) else None


def _data(event: bytes) -> list[bytes]:
    return [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]


def _reply(body: bytes) -> Reply | None:
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def cache_result(headers: Headers) -> str:
    """Return the value of `X-Cache`, `unknown` if there is none."""
    return _CACHE_RESULTS.get(str(headers.get("x-cache", "")).lower(), UNKNOWN)
