"""JSON-RPC replies in the bodies of responses, either JSON or a stream of events. Pure."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

UNKNOWN = "unknown"

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


def decode_reply(headers: Headers, body: bytes) -> Reply | None:
    """Return the JSON-RPC reply in a body, either JSON or a stream of events; None if there is none."""
    if "text/event-stream" not in str(headers.get("content-type", "")):
        return _reply(body)
    replies = (_reply(b"\n".join(_data(event))) for event in body.replace(b"\r\n", b"\n").split(b"\n\n"))
    # A server may send notifications on the same stream before the reply.
    return next((reply for reply in replies if reply and (bytes(reply.result) or reply.error)), None)


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
