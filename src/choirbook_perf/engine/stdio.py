"""Server processes over stdio, as the engine's clients use connections: one process for each client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from choirbook_perf.engine.links import Counters, Ended, Link, OnEnd
from choirbook_perf.engine.responses import Head
from choirbook_perf.errors import ServerUnreachable
from choirbook_perf.targets import FIRST_ID, Request, is_call
from choirbook_perf.transports.stdio import ServerEnded, StdioConnection

_HEAD = Head(200, b"HTTP/1.1 200 OK\r\nContent-Type: application/json")
"""Head of every reply, for functions that evaluate responses."""
OnStart = Callable[[StdioConnection | None], None]
_ENDED = "the server process ended without an answer"


class StdioLine:
    """A request as a line; there are no sessions beside the process."""

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        self._body = body

    @classmethod
    def of(cls, request: Request) -> StdioLine:
        """Return the line of a request."""
        return cls(request.body or b"")

    def bytes(self, session_lines: bytes = b"", id_: int = FIRST_ID) -> bytes:
        """Return the bytes to send; the connection numbers them."""
        del session_lines, id_
        return self._body


class StdioCall:
    """A place for one request at a time to a process."""

    __slots__ = ("_id", "_on_end", "_process", "_sent_s")

    def __init__(self, process: StdioProcess) -> None:
        self._process = process
        self._on_end: OnEnd | None = None
        self._id = 0
        self._sent_s = 0.0

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent by it."""
        return self._on_end is None and self._process.is_running

    @property
    def was_refused(self) -> bool:
        """Whether there is no process."""
        return not self._process.is_running

    def request(self, request: bytes, on_end: OnEnd) -> None:
        """Send a request, or a notification, which ends at once; after starting the process if necessary."""
        self._on_end = on_end
        self._process.when_started(lambda connection: self._send(connection, request))

    def give_up(self, failure: str) -> None:
        """End the request under way, if there is one, as failed."""
        if self._process.connection is not None:
            self._process.connection.forget(self._id)
        self._end(failure, b"")

    def _send(self, connection: StdioConnection | None, request: bytes) -> None:
        self._sent_s = time.monotonic()
        if self._on_end is None:
            return  # given up while the process was being started
        if connection is None:
            self._end(f"cannot connect: {self._process.failure}", b"")
        elif is_call(request):
            self._id = connection.send(request, self._take)
        else:
            connection.notify(request)
            self._end("", b"")

    def _take(self, line: bytes) -> None:
        self._end(_ENDED if line is ServerEnded else "", line)

    def _end(self, failure: str, body: bytes) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            now_s = time.monotonic()
            first_s = 0.0 if failure else now_s
            on_end(Ended(self._sent_s, first_s, now_s, failure, None if failure else _HEAD, body))


class StdioProcess:
    """The server process of one client, started with its first request.

    Args:
        loop: Running loop.
        command: Program and its arguments.
        directory: Its working directory.
        counters: Count the processes.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, command: tuple[str, ...], directory: str, counters: Counters
    ) -> None:
        self.connection: StdioConnection | None = None
        self.failure = ""
        self._loop = loop
        self._command = command
        self._directory = directory
        self._counters = counters
        self._task: asyncio.Task[None] | None = None
        self._waiting: list[OnStart] = []

    @property
    def is_running(self) -> bool:
        """Whether it may answer; also before it was started."""
        if self.connection is not None:
            return self.connection.is_running
        return not self.failure

    def take(self) -> StdioCall:
        """Return a place for a request."""
        return StdioCall(self)

    def put(self, link: Link, /) -> None:
        """Return a place; there is any number of them."""

    def when_started(self, then: OnStart) -> None:
        """Call back with the connection to the process, None if it cannot be started."""
        if self.connection is not None or self.failure:
            then(self.connection)
            return
        self._waiting.append(then)
        if self._task is None:
            self._task = self._loop.create_task(self._start())

    async def close(self) -> None:
        """End the process."""
        if self.connection is not None:
            await self.connection.close()

    async def _start(self) -> None:
        try:
            self.connection = await StdioConnection.start(self._command, self._directory or None)
            self._counters.opened += 1
        except ServerUnreachable as error:
            self.failure = error.message
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then(self.connection)
