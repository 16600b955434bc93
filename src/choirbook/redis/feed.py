"""Feed through Redis by which workers on all hosts announce changes to each other.

Messages and the state of the feed in Redis are signed (`messages`). Each message has the next number. If a
listener finds a number missing, or the state ahead, it knows that messages were lost, though not which; a
message that it received before is ignored.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from math import inf
from time import monotonic
from typing import Any, Protocol

from choirbook.redis.connection import RedisConnection
from choirbook.redis.errors import Reason, RedisCallError
from choirbook.redis.feed_state import FeedProgress
from choirbook.redis.keys import RedisKeys
from choirbook.redis.loss_detector import LossDetector, Position
from choirbook.redis.messages import (
    MAX_STATE_BYTES,
    DocumentsChanged,
    FeedMessage,
    FeedState,
    Hello,
    MessageCodec,
    News,
    SeenMessages,
    fitting,
    seconds_of,
)
from choirbook.redis.rejections import REPLAYED, Rejections
from choirbook.redis.signatures import Corrupt, Purpose, Signer
from choirbook.runtime.tasks import end_tasks

CHECK_S = 0.5
"""Interval between checks of the state, in seconds: a lost message is noticed at the second check, a second
later at most."""

LOOKS_PER_TIME = 10
"""Number of checks of the state per reading of the clock of Redis."""

RETRY_S = 0.1
LONGEST_RETRY_S = 0.5
"""Longest delay before subscribing again, in seconds: a missing permission stays missing for long."""

LOSS_PAUSE_S = 3.0
"""Minimum time between two resets of all caches, in seconds: anyone who can write to Redis can make it look
as if messages were lost. Together with the second until a loss is noticed, it stays within the five seconds
that a change may take to show."""

PUBLISH_TRIES = 10
"""Maximum number of attempts to publish a message: each time another worker was faster, and all workers of
some hosts at once are rare."""

# Compares, replaces and publishes in one step: no reader sees one without the others. ARGV: the longest
# state, the expected state, the new one or "", the channel, the message or "". Returns 1, or the actual
# state.
_PUBLISH = """
local found = redis.call('GETRANGE', KEYS[1], 0, ARGV[1])
if found ~= ARGV[2] then return found end
if ARGV[3] ~= '' then redis.call('SET', KEYS[1], ARGV[3]) end
if ARGV[5] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
return 1
"""


_TAKES_NO_WRITES = frozenset({Reason.FULL, Reason.READ_ONLY})


class FeedListener(Protocol):
    """Receiver of announcements."""

    async def on_news(self, news: News) -> None:
        """Handle news of another worker."""

    async def on_loss(self) -> None:
        """Handle the loss of messages of other workers."""


class Feed:
    """One worker's side of the feed.

    Args:
        connection: Connection to Redis.
        keys: Names of the library's keys there.
        signer: Signs and verifies messages.
    """

    def __init__(self, connection: RedisConnection, keys: RedisKeys, signer: Signer) -> None:
        self.connection = connection
        self._keys = keys
        self._sender = secrets.token_hex(8)
        self._sequence = 0
        self.rejections = Rejections()
        """Counts rejected data, including cached values."""
        self._codec = MessageCodec(signer, keys.feed, keys.channel)
        self._progress = FeedProgress(self._codec, self.rejections)
        self._loss_detector = LossDetector()
        self._uncounted = SeenMessages()
        self._listener: FeedListener | None = None
        self._on_state_change: list[Callable[[], None]] = []
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._began_s = monotonic()
        self._redis_ahead_s = time.time() - monotonic()
        """Clock of Redis minus the monotonic clock, in seconds, at the last reading."""
        self._has_unreported_loss = False
        self._reported_s = -inf
        self.is_up = False
        """Whether announcements arrive and can be sent."""
        self.losses = 0
        """Number of times that messages were lost, since the start."""

    def epoch(self, type_: str) -> int:
        """Return the number of the last invalidation that affected all of a type."""
        return self._progress.epoch(type_)

    def set_listener(self, listener: FeedListener) -> None:
        """Set the listener to notify from now on."""
        self._listener = listener

    def on_state_change(self, call: Callable[[], None]) -> None:
        """Register a function to call whenever `is_up` has changed."""
        self._on_state_change.append(call)

    async def wait_up(self) -> None:
        """Wait until announcements arrive."""
        await self._up.wait()

    def start(self) -> None:
        """Start to listen, on the running event loop."""
        self._began_s = monotonic()
        self._task = asyncio.create_task(self._run(), name="choirbook-feed")

    async def stop(self) -> None:
        """End the task."""
        await end_tasks(self._task)
        self._set_state(is_up=False)

    async def publish(self, news: News) -> None:
        """Announce a change to the other workers.

        Raises:
            RedisCallError: It was not sent, or not to all workers.
        """
        news = fitting(news)
        try:
            for _ in range(PUBLISH_TRIES):
                state = self._progress.after(news, self._now_s())
                message = self._codec.write(
                    FeedMessage(self._sender, state.number, 0, state.announced_s, news)
                )
                if await self._replace(state, message):
                    return
        except RedisCallError as error:
            if error.reason not in _TAKES_NO_WRITES:
                raise
            # Sent without a number, which such a Redis cannot store: current listeners are still notified.
            await self.notify(news)
            if not isinstance(news, DocumentsChanged):
                raise
            return
        raise RedisCallError(Reason.TIMEOUT)

    async def notify(self, news: News) -> None:
        """Notify the current listeners; others miss it, which is harmless.

        Raises:
            RedisCallError: It was not sent.
        """
        self._sequence += 1
        message = FeedMessage(self._sender, 0, self._sequence, int(self._now_s()), news)
        raw = self._codec.write(message)
        await self.connection.call("PUBLISH", self._keys.channel, raw, parse=_receivers, is_patient=True)

    async def _replace(self, state: FeedState | None, message: bytes = b"") -> bool:
        """Replace the last known state, and return whether it was still unchanged.

        Raises:
            RedisCallError: Redis did not accept it.
        """
        raw = b"" if state is None else self._codec.write_state(state)
        names = (self._keys.channel, message)
        arguments = (MAX_STATE_BYTES - 1, self._progress.raw, raw, *names)
        found = await self.connection.call(
            "EVAL", _PUBLISH, 1, self._keys.feed, *arguments, parse=_done_or_state, is_patient=True
        )
        if found is not None:
            self._progress.see(found)
            return False
        if state is not None:
            self._progress.put(state, raw)
        return True

    async def _run(self) -> None:
        pause_s = RETRY_S
        while True:
            await self.connection.wait_up()
            try:
                async with self.connection.subscribe(self._keys.channel) as messages:
                    await self._begin()
                    self._set_state(is_up=True)
                    pause_s = RETRY_S
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._receive(messages))
                        group.create_task(self._check())
            except* RedisCallError:
                self._set_state(is_up=False)
            await asyncio.sleep(pause_s)
            # Only a missing permission lasts: after a failure the breaker decides when to ask Redis again.
            pause_s = min(2 * pause_s, LONGEST_RETRY_S) if self.connection.is_up else RETRY_S

    async def _begin(self) -> None:
        await self._look_at_clock()
        # A feed that cannot be published to is useless: the others would never be notified.
        await self.notify(Hello())
        known = self._progress.state
        found = await self._look()
        if found is None or (known is not None and found.number < known.number):
            await self._restore()
        else:
            await self._replace(None)
        state = self._progress.state or self._progress.created(self._now_s())
        is_news = self._now_s() - state.announced_s <= monotonic() - self._began_s + 1
        went_back = known is not None and found is not None and found.number < known.number
        if self._loss_detector.begin(state.number, is_news=is_news) or went_back:
            await self._record_loss()

    async def _receive(self, messages: AsyncIterator[bytes]) -> None:
        async for raw in messages:
            try:
                message = self._codec.read(raw)
            except Corrupt as error:
                self.rejections.note(Purpose.MESSAGE.value, str(error))
                continue
            await self._handle(message)

    async def _handle(self, message: FeedMessage) -> None:
        if message.number:
            place = self._loss_detector.record(message.number)
            if place is Position.AFTER_A_GAP:
                await self._record_loss()
            if place in {Position.NEXT, Position.AFTER_A_GAP}:
                self._progress.record(message.number, message.news, self._now_s())
            elif place is Position.REPLAY:
                self.rejections.note(REPLAYED, "it is not newer than the messages before it")
            if place in {Position.REPLAY, Position.COVERED}:
                return
        elif not self._uncounted.is_new(message, self._now_s()):
            self.rejections.note(REPLAYED, "it is a repeat, or too old")
            return
        if self._listener is None or (
            message.sender == self._sender and isinstance(message.news, DocumentsChanged)
        ):
            return
        # This worker drops the content again: it may meanwhile have read what others shared before.
        await self._listener.on_news(message.news)

    async def _check(self) -> None:
        looks = 0
        while True:
            await asyncio.sleep(CHECK_S)
            looks += 1
            if looks % LOOKS_PER_TIME == 0:
                await self._look_at_clock()
            found = await self._look()
            if found is None:
                await self._restore()
            elif self._loss_detector.compare(found.number):
                if found.number < self._loss_detector.last:
                    await self._restore()
                await self._record_loss()
            await self._report_loss()

    async def _look(self) -> FeedState | None:
        try:
            raw = await self.connection.call(
                "GETRANGE", self._keys.feed, 0, MAX_STATE_BYTES - 1, parse=_bytes_of, is_patient=True
            )
        except RedisCallError as error:
            if error.reason is not Reason.REPLY:
                raise
            # The key holds a value of another type, which must be removed first.
            await self.connection.call("UNLINK", self._keys.feed, parse=_receivers, is_patient=True)
            raw = b""
        return self._progress.see(raw)

    async def _look_at_clock(self) -> None:
        now_s = await self.connection.call("TIME", parse=seconds_of, is_patient=True)
        self._redis_ahead_s = now_s - monotonic()

    def _now_s(self) -> float:
        """Return the Unix time of Redis."""
        return monotonic() + self._redis_ahead_s

    async def _restore(self) -> None:
        """Write this worker's state in place of one that was lost or rolled back."""
        state = self._progress.state or self._progress.created(self._now_s())
        try:
            await self._replace(state)
        except RedisCallError as error:
            if error.reason not in _TAKES_NO_WRITES:
                raise
            self._progress.put(state, self._progress.raw)

    async def _record_loss(self) -> None:
        self.losses += 1
        self._has_unreported_loss = True
        await self._report_loss()

    async def _report_loss(self) -> None:
        """Treat everything as changed after messages were lost, at most once in `LOSS_PAUSE_S`."""
        if not self._has_unreported_loss or monotonic() - self._reported_s < LOSS_PAUSE_S:
            return
        self._has_unreported_loss, self._reported_s = False, monotonic()
        if self._listener is not None:
            await self._listener.on_loss()

    def _set_state(self, *, is_up: bool) -> None:
        if is_up == self.is_up:
            return
        self.is_up = is_up
        (self._up.set if is_up else self._up.clear)()
        for call in self._on_state_change:
            call()


def _bytes_of(reply: Any) -> bytes:
    if not isinstance(reply, bytes):
        raise Corrupt("not a string")
    return reply


def _done_or_state(reply: Any) -> bytes | None:
    return None if reply == 1 else _bytes_of(reply)


def _receivers(reply: Any) -> int:
    if not isinstance(reply, int) or reply < 0:
        raise Corrupt("not a number")
    return reply
