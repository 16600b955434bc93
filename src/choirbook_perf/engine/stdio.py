"""Channels over stdio: a server process for each, started and greeted before its first request."""

from __future__ import annotations

import asyncio
import time

from choirbook_perf.engine.connections import Channel, Ended, OnEnd
from choirbook_perf.engine.responses import Head
from choirbook_perf.errors import ServerUnreachable
from choirbook_perf.plan import Plan
from choirbook_perf.targets import Handshake, opened
from choirbook_perf.transports.stdio import HEADERS, STATUS, StdioConnection

_HEAD = Head(STATUS, b"HTTP/1.1 200 OK\r\nContent-Type: application/json")
_START_S = 30.0
"""For a server to start and to answer `initialize`; some are downloaded first."""


class StdioChannel:
    """One server process."""

    def __init__(self, pool: StdioChannels) -> None:
        self._pool = pool
        self._server: StdioConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._on_end: OnEnd | None = None
        self._id = 0
        self._sent_s = 0.0

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent to it."""
        return self._on_end is None and self._server is not None and self._server.is_running

    @property
    def was_refused(self) -> bool:
        """Whether it could not be started."""
        return self._server is None and self._on_end is None

    def request(self, request: bytes, on_end: OnEnd) -> None:
        """Send a request, after starting the server if necessary."""
        self._on_end = on_end
        self._sent_s = 0.0
        if self._server is None:
            self._task = self._pool.loop.create_task(self._start(request))
        else:
            self._send(request)

    def give_up(self, failure: str) -> None:
        """End the request under way, if there is one, as failed, and the server."""
        if self._task is not None:
            self._task.cancel()
        if self._server is not None:
            self._server.forget(self._id)
        self._end(failure)
        self._pool.discard(self)

    async def end(self) -> None:
        """End the server."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._server is not None:
            await self._server.close()

    def _send(self, request: bytes) -> None:
        assert self._server is not None
        self._sent_s = time.monotonic()
        self._id = self._server.send(request, self._answer)

    async def _start(self, request: bytes) -> None:
        plan = self._pool.plan
        server: StdioConnection | None = None
        try:
            server = await StdioConnection.start(plan.command, plan.directory or None)
            failure = await _greet(server, plan.handshake)
        except ServerUnreachable as error:
            failure = error.message
        except TimeoutError:
            failure = f"the server did not answer initialize within {_START_S:g} s"
        finally:
            # Also when it is cancelled: what was started has to be ended.
            self._server = server
        if failure:
            self._end(failure)
            self._pool.discard(self)
            return
        self._task = None
        self._pool.opened += 1
        self._send(request)

    def _answer(self, line: bytes) -> None:
        self._end("" if line else "the server ended without an answer", line)

    def _end(self, failure: str, line: bytes = b"") -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            now_s = time.monotonic()
            on_end(Ended(self._sent_s, now_s if line else 0.0, now_s, failure, _HEAD if line else None, line))


async def _greet(server: StdioConnection, handshake: Handshake | None) -> str:
    """Make the handshake, if the era has one, and return why it failed."""
    if handshake is None:
        return ""
    line = await server.exchange(handshake.initialize.body or b"", _START_S)
    failure = opened(STATUS, HEADERS, line).failure
    server.notify(handshake.initialized.body or b"")
    return failure


class StdioChannels:
    """All server processes of a load, those without a request ready to be used again."""

    def __init__(self, loop: asyncio.AbstractEventLoop, plan: Plan) -> None:
        self.loop = loop
        self.plan = plan
        self.opened = 0
        """Servers that were started and greeted."""
        self.own_faults: set[str] = set()
        self._idle: list[StdioChannel] = []
        self._all: set[StdioChannel] = set()
        self._ending: set[asyncio.Task[None]] = set()

    def take(self) -> StdioChannel:
        """Return a server without a request: the one used last, so that few are kept busy."""
        while self._idle:
            channel = self._idle.pop()
            if channel.is_usable:
                return channel
        channel = StdioChannel(self)
        self._all.add(channel)
        return channel

    def put(self, channel: Channel, /) -> None:
        """Return a server whose request has ended."""
        if channel.is_usable and isinstance(channel, StdioChannel):
            self._idle.append(channel)

    def discard(self, channel: StdioChannel) -> None:
        """End a server that cannot be used any more."""
        if channel in self._all:
            self._all.discard(channel)
            task = self.loop.create_task(channel.end())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def end(self) -> None:
        """End all."""
        await asyncio.gather(*(channel.end() for channel in self._all), *self._ending, return_exceptions=True)
