"""Connections to the server under test: one request at a time on each, none ever sent twice.

A client library that repeats a request on a new connection hides that the server lost the first one.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol, cast

from choirbook_perf.engine.responses import BadResponse, Head, ResponseParser


class Address(NamedTuple):
    """Where the server is, its name already looked up."""

    host: str
    port: int
    name: str = ""
    """Name of the server for TLS."""
    context: ssl.SSLContext | None = None


class Ended(NamedTuple):
    """How a request ended. Times are of `time.monotonic`."""

    sent_s: float
    """When it was handed to the kernel; 0 if there was no connection."""
    first_s: float
    """When the first byte of the response arrived; 0 if none did."""
    done_s: float
    failure: str
    """Why there is no complete response, "" if there is one."""
    head: Head | None
    body: bytes


OnEnd = Callable[[Ended], None]


class Channel(Protocol):
    """A way to the server that carries one request at a time."""

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent on it."""
        ...

    @property
    def was_refused(self) -> bool:
        """Whether it could not be opened."""
        ...

    def request(self, request: bytes, on_end: OnEnd) -> None:
        """Send a request, after opening the channel if necessary."""
        ...

    def give_up(self, failure: str) -> None:
        """End the request under way, if there is one, as failed, and the channel."""
        ...


class Channels(Protocol):
    """All channels of a load, those without a request ready to be used again."""

    opened: int
    own_faults: set[str]

    def take(self) -> Channel:
        """Return a channel without a request."""
        ...

    def put(self, channel: Channel, /) -> None:
        """Return a channel whose request has ended."""
        ...

    async def end(self) -> None:
        """Close all."""
        ...


class Connection(asyncio.Protocol):
    """One connection."""

    __slots__ = (
        "_early",
        "_first_s",
        "_on_end",
        "_parser",
        "_pool",
        "_request",
        "_sent_s",
        "_task",
        "_transport",
    )

    def __init__(self, pool: Connections) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._parser = ResponseParser()
        self._on_end: OnEnd | None = None
        self._request = b""
        self._sent_s = self._first_s = 0.0
        self._early: asyncio.TimerHandle | None = None

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent on it."""
        return self._on_end is None and self._transport is not None and not self._transport.is_closing()

    @property
    def was_refused(self) -> bool:
        """Whether no connection could be made."""
        return self._transport is None and self._on_end is None

    def request(self, request: bytes, on_end: OnEnd) -> None:
        """Send a request, after connecting if necessary."""
        self._on_end = on_end
        self._first_s = 0.0
        if self._transport is None:
            self._sent_s = 0.0
            self._request = request
            self._task = self._pool.loop.create_task(self._connect())
            return
        self._sent_s = time.monotonic()
        self._transport.write(request)

    def give_up(self, failure: str) -> None:
        """End the request under way, if there is one, as failed, and the connection."""
        if self._task is not None:
            self._task.cancel()
        self.close()
        self._end(failure, time.monotonic())

    def close(self) -> None:
        """Close it at once."""
        if self._transport is not None:
            self._transport.abort()

    async def _connect(self) -> None:
        pool, address = self._pool, self._pool.address
        try:
            await pool.loop.create_connection(
                lambda: self,
                address.host,
                address.port,
                ssl=address.context,
                server_hostname=address.name if address.context else None,
            )
        except (OSError, ssl.SSLError) as error:
            if getattr(error, "errno", None) in _OWN_FAULTS:
                pool.own_faults.add(error.strerror or str(error))
            told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            pool.forget(self)
            self._end(f"cannot connect: {told}", time.monotonic())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request that waited for the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._task = None
        self._pool.opened += 1
        if self._on_end is None:
            self._transport.abort()  # given up while it was being made
            return
        made = transport.get_extra_info("socket")
        if made is not None:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sent_s = time.monotonic()
        self._transport.write(self._request)
        self._request = b""

    def data_received(self, data: bytes) -> None:
        """Take a part of the response."""
        now_s = time.monotonic()
        if self._on_end is None:
            self.close()  # bytes that no request asked for
            return
        if not self._first_s:
            self._first_s = now_s
        try:
            is_complete = self._parser.feed(data)
        except BadResponse as error:
            self.close()
            self._end(str(error), now_s)
            return
        if is_complete:
            self._complete(now_s)
        elif self._parser.has_reply and self._early is None:
            # Most servers end the stream at once, which keeps the connection.
            self._early = self._pool.loop.call_later(_STREAM_END_S, self._complete_early, now_s)

    def _complete_early(self, now_s: float) -> None:
        """End the request with the reply of a stream that stays open."""
        self._early = None
        head, body = self._parser.head, self._parser.body_so_far()
        self.close()
        self._end("", now_s, head, body)

    def eof_received(self) -> None:
        """Let the transport be closed."""

    def connection_lost(self, exc: Exception | None) -> None:
        """End the request under way."""
        now_s = time.monotonic()
        if self._on_end is not None and exc is None and self._parser.finish():
            self._complete(now_s)
        elif self._on_end is not None:
            how = "reset" if isinstance(exc, ConnectionResetError) else "closed"
            when = "in the middle of the answer" if self._parser.has_begun() else "without an answer"
            self._end(f"the connection was {how} {when}", now_s)
        self._pool.forget(self)

    def _complete(self, now_s: float) -> None:
        parser = self._parser
        head, body = parser.head, parser.body
        if not parser.keeps_alive():
            self.close()
        parser.next()
        self._end("", now_s, head, body)

    def _end(self, failure: str, now_s: float, head: Head | None = None, body: bytes = b"") -> None:
        on_end, self._on_end = self._on_end, None
        if self._early is not None:
            self._early.cancel()
            self._early = None
        if on_end is not None:
            on_end(Ended(self._sent_s, self._first_s, now_s, failure, head, body))


_STREAM_END_S = 0.1
"""Time from the reply in a stream of events to the end of the stream, after which it is not waited for."""

_OWN_FAULTS = {23, 24, 99}
"""ENFILE, EMFILE, EADDRNOTAVAIL: what this machine has run out of, not the server."""


class Connections:
    """All connections of a load, those without a request ready to be used again."""

    def __init__(self, loop: asyncio.AbstractEventLoop, address: Address) -> None:
        self.loop = loop
        self.address = address
        self.opened = 0
        """Connections that were established."""
        self.own_faults: set[str] = set()
        """Errors of this machine, for which the server is not to blame."""
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()

    def take(self) -> Connection:
        """Return a connection without a request: the one used last, so that few are kept busy."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
        connection = Connection(self)
        self._all.add(connection)
        return connection

    def put(self, channel: Channel, /) -> None:
        """Return a connection whose request has ended."""
        if channel.is_usable and isinstance(channel, Connection):
            self._idle.append(channel)

    def forget(self, connection: Connection) -> None:
        """Drop a connection that is closed."""
        self._all.discard(connection)

    async def end(self) -> None:
        """Close all."""
        for connection in list(self._all):
            connection.close()
