"""Connections to the server under test: one request at a time on each, none ever sent twice.

A client library that repeats a request on a new connection hides that the server lost the first one.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from typing import NamedTuple, cast

from choirbook_perf.engine.links import Counters, Ended, Link, OnEnd
from choirbook_perf.engine.responses import BadResponse, Head, ResponseParser
from choirbook_perf.targets import EventStream, is_event_stream


class Address(NamedTuple):
    """Where the server is, its name already looked up."""

    host: str
    port: int
    name: str = ""
    """Name of the server for TLS."""
    context: ssl.SSLContext | None = None


class Connection(asyncio.Protocol):
    """One connection."""

    __slots__ = (
        "_early",
        "_events",
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
        self._events: EventStream | None = None
        self._early: asyncio.TimerHandle | None = None
        self._sent_s = self._first_s = 0.0

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
        except OSError as error:  # ssl.SSLError is one
            told = error.strerror or str(error)
            if error.errno in _OWN_FAULTS:
                pool.counters.own_faults.add(told)
            pool.forget(self)
            self._end(f"cannot connect: {told}", time.monotonic())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request that waited for the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._task = None
        self._pool.counters.opened += 1
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
        elif self._early is None and self._parser.head.status and self._has_reply():
            # A server may leave the stream open, so the reply is what a client waits for. Most servers end
            # the stream at once, which keeps the connection.
            self._early = self._pool.loop.call_later(_STREAM_END_S, self._complete_early, now_s)

    def _complete_early(self, now_s: float) -> None:
        """End the request with the reply in a stream that stays open; `now_s` is when it came."""
        self._early = None
        if self._events is not None and self._on_end is not None:
            head, body = self._parser.head, bytes(self._events.body)
            self.close()
            self._end("", now_s, head, body)

    def _has_reply(self) -> bool:
        """Return whether the body so far is a stream of events with a reply in it."""
        if self._events is None:
            if not is_event_stream(self._parser.head):
                return False
            self._events = EventStream()
        return any(self._events.feed(part) for part in self._parser.new_parts())

    def eof_received(self) -> None:
        """Let the transport be closed."""

    def connection_lost(self, exc: Exception | None) -> None:
        """End the request under way."""
        now_s = time.monotonic()
        if self._early is not None:
            self._complete_early(now_s)
        elif self._on_end is not None and exc is None and self._parser.finish():
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
        self._events = None
        self._end("", now_s, head, body)

    def _end(self, failure: str, now_s: float, head: Head | None = None, body: bytes = b"") -> None:
        if self._early is not None:
            self._early.cancel()
            self._early = None
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(Ended(self._sent_s, self._first_s, now_s, failure, head, body))


_STREAM_END_S = 0.1
"""Time from the reply in a stream of events to the end of the stream, after which it is not waited for."""

_OWN_FAULTS = {23, 24, 99}
"""ENFILE, EMFILE, EADDRNOTAVAIL: what this machine has run out of, not the server."""


class Connections:
    """All connections of a load, those without a request ready to be used again."""

    def __init__(self, loop: asyncio.AbstractEventLoop, address: Address, counters: Counters) -> None:
        self.loop = loop
        self.address = address
        self.counters = counters
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

    def put(self, link: Link) -> None:
        """Return a connection whose request has ended."""
        if isinstance(link, Connection) and link.is_usable:
            self._idle.append(link)

    def forget(self, connection: Connection) -> None:
        """Drop a connection that is closed."""
        self._all.discard(connection)

    def close(self) -> None:
        """Close all."""
        for connection in list(self._all):
            connection.close()
