"""Streams over ASGI: one task sends and waits for the client to read, another notices when it hangs up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from choirbook.http.exchange import LossReason, Streaming
from choirbook.http.sse import KEEP_ALIVE, events
from choirbook.model import Header

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class AsgiOutlet:
    """One client's end of a stream: the data still to be sent."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._is_over = False
        self.is_waited_for = False
        """Whether the stream waits to be resumed."""

    def send(self, messages: Sequence[bytes]) -> bool:
        """See `Outlet.send`. One batch at a time, so that no more than one is held."""
        self._put(events(messages))
        self.is_waited_for = True
        return False

    def keep_alive(self) -> None:
        """See `Outlet.keep_alive`."""
        self._put(KEEP_ALIVE)

    def end(self) -> None:
        """See `Outlet.end`."""
        self._is_over = True
        self._news.set()

    async def next(self) -> bytes | None:
        """Wait for the next data to send; None at the end."""
        while not self._pieces:
            if self._is_over:
                return None
            self._news.clear()
            await self._news.wait()
        pieces, self._pieces = self._pieces, deque()
        return b"".join(pieces)

    def _put(self, data: bytes) -> None:
        self._pieces.append(data)
        self._news.set()


async def stream_response(streaming: Streaming, receive: Receive, send: Send, stall_s: float) -> None:
    """Send a stream until it ends.

    Args:
        streaming: Stream to send.
        receive: Reports when the client hangs up.
        send: Sends, and waits while the client has enough unread data.
        stall_s: Time after which a client that reads nothing is disconnected, in seconds.
    """
    stream, outlet = streaming.stream, AsgiOutlet()

    def hang_up(_: object) -> None:
        stream.lost(LossReason.CLIENT)
        outlet.end()

    listening = asyncio.create_task(_until_disconnect(receive))
    listening.add_done_callback(hang_up)
    head = {"status": streaming.status, "headers": encode_headers(streaming.headers)}
    try:
        await send({"type": "http.response.start", **head})
        stream.open(outlet)
        while (data := await outlet.next()) is not None:
            async with asyncio.timeout(stall_s):
                await send({"type": "http.response.body", "body": data, "more_body": True})
            if outlet.is_waited_for:
                outlet.is_waited_for = False
                stream.resume()
        if not listening.done():
            await send({"type": "http.response.body", "body": b""})
    except TimeoutError:
        stream.lost(LossReason.SLOW)
    finally:
        stream.lost(LossReason.CLIENT)
        listening.cancel()


def encode_headers(headers: list[Header]) -> list[tuple[bytes, bytes]]:
    """Encode headers for ASGI."""
    return [(name.encode(), value.encode("latin-1")) for name, value in headers]


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
