"""Connection to one Redis: deadlines, a circuit breaker, and reconnecting in the background.

Every call on behalf of a reader ends within `DEADLINE_S`, connecting included, or is rejected at once while
the breaker is open; a call that no reader waits for may take `PATIENT_S`. The client library is imported when
the connection opens, on a thread: neither the start nor a server without Redis waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from choirbook.redis.circuit_breaker import LONGEST_PAUSE_S, CircuitBreaker, is_slow
from choirbook.redis.client import denied_command, make_pool, reason_of, require_client_library
from choirbook.redis.deadline import Deadline
from choirbook.redis.errors import COMMANDS, HARMLESS, Reason, RedisCallError
from choirbook.redis.signatures import Corrupt
from choirbook.redis.url import RedisUrl
from choirbook.runtime.tasks import end_tasks

if TYPE_CHECKING:
    from choirbook.redis.client import Connection, Pool

log = logging.getLogger("choirbook.redis")

DEADLINE_S = 0.05
"""Maximum duration of one call, in seconds: the cost of an unresponsive Redis to a reader, once, until the
breaker opens."""

PATIENT_S = 0.25
"""Maximum duration of a call that no reader waits for, in seconds: a stall of the machine ends neither the
feed nor a probe. The breaker detects a Redis that is slow but answers."""

PINGS = 3
"""Number of pings in a probe, once it is connected: the fastest decides whether Redis is slow."""

PROBES_UNTIL_LOGGED = 2
"""Number of failed probes before a log message: a single one may fail because this process stalled."""

Command = str | bytes | int

Result = TypeVar("Result")


class RedisConnection:
    """Supervised connection to one Redis.

    Args:
        url: Address of Redis.
        deadline_s: Maximum duration of a call that a reader waits for, in seconds.

    Raises:
        ExtraMissing: The client library is not installed.
    """

    def __init__(self, url: RedisUrl, deadline_s: float = DEADLINE_S) -> None:
        require_client_library()
        self.url = url
        self._deadline_s = deadline_s
        self._patient_s = max(deadline_s, PATIENT_S)
        self._breaker = CircuitBreaker()
        self._pool: Pool | None = None
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._down.set()
        self._task: asyncio.Task[None] | None = None
        self._failed_probes = 0
        self._listeners: list[Callable[[], None]] = []
        self.errors: Counter[Reason] = Counter()
        """Calls and probes that failed, since the start, without calls that the open breaker refused."""
        self.denied: Counter[str] = Counter()
        """Calls for which the user of Redis has no permission, by one of `COMMANDS`."""
        self.openings = 0
        """Number of times that the breaker opened, since the start."""

    @property
    def is_up(self) -> bool:
        """Whether calls are allowed."""
        return self._breaker.is_closed

    def listen(self, listener: Callable[[], None]) -> None:
        """Register a function to call whenever `is_up` has changed."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begin to connect, on the running event loop."""
        self._task = asyncio.create_task(self._keep_connected(), name="choirbook-redis")

    async def stop(self) -> None:
        """End the task and close all connections."""
        await end_tasks(self._task)
        self._breaker = CircuitBreaker()
        self._up.clear()
        self._down.set()
        if self._pool is not None:
            with suppress(Exception):
                await self._pool.disconnect()
            self._pool = None

    async def wait_up(self) -> None:
        """Wait until calls are allowed."""
        await self._up.wait()

    async def call(
        self, *command: Command, parse: Callable[[Any], Result], is_patient: bool = False
    ) -> Result:
        """Send one command and return its parsed reply.

        Args:
            command: Name and arguments of the command.
            is_patient: Whether no reader waits for it, so that it may take `PATIENT_S`.
            parse: Parses the reply, or raises `Corrupt`. In that case the connection is closed as well: it
                may be out of step, and answer each command with the reply to another.

        Raises:
            RedisCallError: There was no reply in time, it was an error, or it was malformed.
        """
        if not self._breaker.is_closed:
            raise RedisCallError(Reason.OPEN)
        return await self._call(command, parse, self._patient_s if is_patient else self._deadline_s)

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Subscribe to a channel on a separate connection; enter the context once that is confirmed.

        Raises:
            RedisCallError: Subscribing failed, or the connection ended during the iteration.
        """
        if self._pool is None or not self._breaker.is_closed:
            raise RedisCallError(Reason.OPEN)
        connection: Connection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            with self._mapped("SUBSCRIBE"):
                async with Deadline(self._patient_s):
                    await connection.connect()  # type: ignore[no-untyped-call]
                    await connection.send_command("SUBSCRIBE", channel)
                    await connection.read_response(push_request=True)
            yield self._messages(connection)
        finally:
            with suppress(Exception):
                await connection.disconnect(nowait=True)

    async def _messages(self, connection: Connection) -> AsyncIterator[bytes]:
        while True:
            with self._mapped("SUBSCRIBE"):
                reply = await connection.read_response(timeout=math.inf, push_request=True)
            match reply:
                case [b"message", _, bytes() as message]:
                    yield message
                case _:
                    raise self._failed(Reason.CORRUPT)

    async def _call(
        self, command: tuple[Command, ...], parse: Callable[[Any], Result], deadline_s: float
    ) -> Result:
        pool = self._pool
        assert pool is not None, "the breaker closes after the pool was made"
        with self._mapped(str(command[0])):
            async with Deadline(deadline_s):
                connection: Connection = await pool.get_connection()  # type: ignore[no-untyped-call]
                try:
                    sent_s = monotonic()
                    await connection.send_command(*command)
                    reply = await connection.read_response()
                    self._answered(sent_s, command, reply)
                    try:
                        return parse(reply)
                    except Corrupt:
                        await connection.disconnect(nowait=True)
                        raise
                finally:
                    await pool.release(connection)

    def _answered(self, sent_s: float, command: tuple[Command, ...], reply: object) -> None:
        now_s = monotonic()
        if self._breaker.answer(now_s, now_s - sent_s, _size(reply) + sum(map(_size, command))):
            self.errors[Reason.SLOW] += 1
            self.openings += 1
            self._tell_listeners()

    def _mapped(self, command: str) -> _ErrorMapping:
        return _ErrorMapping(self._failed, command)

    def _failed(self, reason: Reason, command: str = "", asked_s: float = math.inf) -> RedisCallError:
        self.errors[reason] += 1
        if reason is Reason.PERMISSION and command in COMMANDS:
            self._deny(command)
        if reason not in HARMLESS and self._breaker.fail(monotonic(), asked_s):
            self.openings += 1
            self._tell_listeners()
        return RedisCallError(reason)

    def _deny(self, command: str) -> None:
        self.denied[command] += 1
        if self.denied[command] == 1:
            more = ", or GETRANGE, SET, UNLINK and PUBLISH in its scripts" if command == "EVAL" else ""
            log.warning(
                "the user of Redis at %s lacks permission to run %s%s, or to use the keys and channels "
                "'choirbook:*'. docs/deploying.md lists the required commands",
                self.url.place,
                command,
                more,
            )

    def _tell_listeners(self) -> None:
        is_up = self._breaker.is_closed
        (self._up if is_up else self._down).set()
        (self._down if is_up else self._up).clear()
        for listener in self._listeners:
            listener()

    async def _make_pool(self) -> Pool:
        while True:
            try:
                return await asyncio.to_thread(make_pool, self.url, self._patient_s)
            except OSError as error:
                self.errors[Reason.CONNECTION] += 1
                if self.errors[Reason.CONNECTION] == 1:
                    log.warning(
                        "Redis at %s cannot be used: check the files that its URL names as ca, cert and "
                        "key (%s)",
                        self.url.place,
                        error.strerror or error,
                    )
            # Certificates are renewed, and mounted late.
            await asyncio.sleep(LONGEST_PAUSE_S)

    async def _keep_connected(self) -> None:
        """Connect, and probe whenever the breaker is open."""
        pool = self._pool = await self._make_pool()
        while True:
            await self._down.wait()
            await asyncio.sleep(max(0.0, self._breaker.next_probe_s - monotonic()))
            try:
                # Connections to a Redis that is gone would fail one by one.
                await pool.disconnect(inuse_connections=False)
                await self._ping_s()
                # Measured again, without the time that connecting takes.
                if is_slow(min([await self._ping_s() for _ in range(PINGS)]), 0):
                    raise self._failed(Reason.SLOW)
            except RedisCallError as error:
                self._breaker.fail(monotonic())
                self._failed_probes += 1
                if self._failed_probes == PROBES_UNTIL_LOGGED:
                    log.warning(
                        "Redis at %s is unavailable (%s), reads continue without it", self.url.place, error
                    )
                continue
            self._breaker.close(monotonic())
            self._tell_listeners()
            if self._failed_probes >= PROBES_UNTIL_LOGGED:
                log.warning("Redis at %s is available again", self.url.place)
            self._failed_probes = 0

    async def _ping_s(self) -> float:
        """Measure how long Redis takes to answer, in seconds."""
        asked_s = monotonic()
        await self._call(("PING",), _expect_pong, self._patient_s)
        return monotonic() - asked_s


def _size(value: object) -> int:
    return len(value) if isinstance(value, bytes | str) else 0


def _expect_pong(reply: Any) -> None:
    if reply != b"PONG":
        raise Corrupt("not the answer to a ping")


class _ErrorMapping:
    """Context that maps errors of the client library to `RedisCallError`, at the boundary."""

    def __init__(self, failed: Callable[[Reason, str, float], RedisCallError], command: str) -> None:
        self._failed = failed
        self._command = command
        self._asked_s = monotonic()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        # Cancelling is not a failure; any other error may come from parsing bytes that are not from Redis.
        if isinstance(error, Exception) and not isinstance(error, RedisCallError):
            command = denied_command(error) or self._command
            raise self._failed(reason_of(error), command, self._asked_s) from error
