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

from choirbook.redis.errors import LinkError, Reason
from choirbook.redis.feed_state import FeedProgress
from choirbook.redis.generations import Generations, Place
from choirbook.redis.keys import Keys
from choirbook.redis.link import RedisLink
from choirbook.redis.messages import (
    MAX_STATE_BYTES,
    Edit,
    FeedMessage,
    FeedState,
    Heard,
    Hello,
    News,
    Wire,
    fitting,
    seconds_of,
)
from choirbook.redis.rejections import REPLAYED, Suspicion
from choirbook.redis.signatures import Corrupt, Purpose, Sealing
from choirbook.runtime.tasks import end_tasks

CHECK_S = 0.5
"""Interval between checks of the state, in seconds: a lost message is noticed at the second check, a second
later at most."""

LOOKS_PER_TIME = 10
"""Number of checks of the state per reading of the clock of Redis."""

RETRY_S = 0.1
LONGEST_RETRY_S = 0.5
"""Longest delay before subscribing again, in seconds: a missing permission stays missing for long."""

MISS_PAUSE_S = 3.0
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


class Listener(Protocol):
    """Receiver of announcements."""

    async def heard(self, news: News) -> None:
        """Handle news of another worker."""

    async def missed(self) -> None:
        """Handle the loss of messages of other workers."""


class Feed:
    """One worker's side of the feed.

    Args:
        link: Link to Redis.
        keys: Names of the library's keys there.
        sealing: Signs and verifies messages.
    """

    def __init__(self, link: RedisLink, keys: Keys, sealing: Sealing) -> None:
        self.link = link
        self._keys = keys
        self._sender = secrets.token_hex(8)
        self._sequence = 0
        self.suspicion = Suspicion()
        """Counts rejected data, including cached values."""
        self._wire = Wire(sealing, keys.feed, keys.channel)
        self._progress = FeedProgress(self._wire, self.suspicion)
        self._generations = Generations()
        self._uncounted = Heard()
        self._listener: Listener | None = None
        self._on_turn: list[Callable[[], None]] = []
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._began_s = monotonic()
        self._redis_ahead_s = time.time() - monotonic()
        """Clock of Redis minus the monotonic clock, in seconds, at the last reading."""
        self._owes_miss = False
        self._missed_s = -inf
        self.is_up = False
        """Whether announcements arrive and can be sent."""
        self.losses = 0
        """Number of times that messages were lost, since the start."""

    def epoch(self, type_: str) -> int:
        """Return the number of the last invalidation that affected all of a type."""
        return self._progress.epoch(type_)

    def attend(self, listener: Listener) -> None:
        """Set the listener to notify from now on."""
        self._listener = listener

    def on_turn(self, call: Callable[[], None]) -> None:
        """Register a function to call whenever `is_up` has changed."""
        self._on_turn.append(call)

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
        self._turn(is_up=False)

    async def publish(self, news: News) -> None:
        """Announce a change to the other workers.

        Raises:
            LinkError: It was not sent, or not to all workers.
        """
        news = fitting(news)
        try:
            for _ in range(PUBLISH_TRIES):
                state = self._progress.after(news, self._now_s())
                message = self._wire.write(
                    FeedMessage(self._sender, state.number, 0, state.announced_s, news)
                )
                if await self._replace(state, message):
                    return
        except LinkError as error:
            if error.reason not in _TAKES_NO_WRITES:
                raise
            # Sent without a number, which such a Redis cannot store: current listeners are still notified.
            await self.mention(news)
            if not isinstance(news, Edit):
                raise
            return
        raise LinkError(Reason.TIMEOUT)

    async def mention(self, news: News) -> None:
        """Notify the current listeners; others miss it, which is harmless.

        Raises:
            LinkError: It was not sent.
        """
        self._sequence += 1
        message = FeedMessage(self._sender, 0, self._sequence, int(self._now_s()), news)
        raw = self._wire.write(message)
        await self.link.call("PUBLISH", self._keys.channel, raw, parse=_receivers, is_patient=True)

    async def _replace(self, state: FeedState | None, message: bytes = b"") -> bool:
        """Replace the last known state, and return whether it was still unchanged.

        Raises:
            LinkError: Redis did not accept it.
        """
        raw = b"" if state is None else self._wire.write_state(state)
        names = (self._keys.channel, message)
        told = (MAX_STATE_BYTES - 1, self._progress.raw, raw, *names)
        found = await self.link.call(
            "EVAL", _PUBLISH, 1, self._keys.feed, *told, parse=_done_or_state, is_patient=True
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
            await self.link.wait_up()
            try:
                async with self.link.subscribe(self._keys.channel) as messages:
                    await self._begin()
                    self._turn(is_up=True)
                    pause_s = RETRY_S
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._hear(messages))
                        group.create_task(self._check())
            except* LinkError:
                self._turn(is_up=False)
            await asyncio.sleep(pause_s)
            # Only a missing permission lasts: after a failure the breaker decides when to ask Redis again.
            pause_s = min(2 * pause_s, LONGEST_RETRY_S) if self.link.is_up else RETRY_S

    async def _begin(self) -> None:
        await self._look_at_clock()
        # A feed that cannot be published to is useless: the others would never be notified.
        await self.mention(Hello())
        known = self._progress.state
        found = await self._look()
        if found is None or (known is not None and found.number < known.number):
            await self._restore()
        else:
            await self._replace(None)
        state = self._progress.state or self._progress.created(self._now_s())
        is_news = self._now_s() - state.announced_s <= monotonic() - self._began_s + 1
        went_back = known is not None and found is not None and found.number < known.number
        if self._generations.begin(state.number, is_news=is_news) or went_back:
            await self._miss()

    async def _hear(self, messages: AsyncIterator[bytes]) -> None:
        async for raw in messages:
            try:
                message = self._wire.read(raw)
            except Corrupt as error:
                self.suspicion.note(Purpose.MESSAGE.value, str(error))
                continue
            await self._take(message)

    async def _take(self, message: FeedMessage) -> None:
        if message.number:
            place = self._generations.hear(message.number)
            if place is Place.AFTER_A_GAP:
                await self._miss()
            if place in {Place.NEXT, Place.AFTER_A_GAP}:
                self._progress.hear(message.number, message.news, self._now_s())
            elif place is Place.REPLAY:
                self.suspicion.note(REPLAYED, "it is not newer than the messages before it")
            if place in {Place.REPLAY, Place.COVERED}:
                return
        elif not self._uncounted.is_new(message, self._now_s()):
            self.suspicion.note(REPLAYED, "it is a repeat, or too old")
            return
        if self._listener is None or (message.sender == self._sender and isinstance(message.news, Edit)):
            return
        # This worker drops the content again: it may meanwhile have read what others shared before.
        await self._listener.heard(message.news)

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
            elif self._generations.compare(found.number):
                if found.number < self._generations.last:
                    await self._restore()
                await self._miss()
            await self._make_good()

    async def _look(self) -> FeedState | None:
        try:
            raw = await self.link.call(
                "GETRANGE", self._keys.feed, 0, MAX_STATE_BYTES - 1, parse=_bytes_of, is_patient=True
            )
        except LinkError as error:
            if error.reason is not Reason.REPLY:
                raise
            # Somebody stored a value of another type there; only removing it makes room.
            await self.link.call("UNLINK", self._keys.feed, parse=_receivers, is_patient=True)
            raw = b""
        return self._progress.see(raw)

    async def _look_at_clock(self) -> None:
        now_s = await self.link.call("TIME", parse=seconds_of, is_patient=True)
        self._redis_ahead_s = now_s - monotonic()

    def _now_s(self) -> float:
        """Return the Unix time of Redis."""
        return monotonic() + self._redis_ahead_s

    async def _restore(self) -> None:
        """Write this worker's state in place of one that was lost or rolled back."""
        state = self._progress.state or self._progress.created(self._now_s())
        try:
            await self._replace(state)
        except LinkError as error:
            if error.reason not in _TAKES_NO_WRITES:
                raise
            self._progress.put(state, self._progress.raw)

    async def _miss(self) -> None:
        self.losses += 1
        self._owes_miss = True
        await self._make_good()

    async def _make_good(self) -> None:
        """Treat everything as changed after messages were lost, at most once in `MISS_PAUSE_S`."""
        if not self._owes_miss or monotonic() - self._missed_s < MISS_PAUSE_S:
            return
        self._owes_miss, self._missed_s = False, monotonic()
        if self._listener is not None:
            await self._listener.missed()

    def _turn(self, *, is_up: bool) -> None:
        if is_up == self.is_up:
            return
        self.is_up = is_up
        (self._up.set if is_up else self._up.clear)()
        for call in self._on_turn:
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
