"""Cache level shared by all workers on all hosts, in Redis: get and offer representations.

Redis is only a cache: every failure here is counted, and treated as a miss. A task of its own writes offered
values, so no reader waits for that.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, deque
from collections.abc import Sequence
from time import monotonic
from typing import NamedTuple

from choirbook.model import Form, Representation, ResourceInfo
from choirbook.redis.codec import Corrupt, RepresentationCodec
from choirbook.redis.errors import Reason, RedisCallError
from choirbook.redis.feed import Feed
from choirbook.redis.keys import RedisKeys
from choirbook.redis.signatures import Purpose
from choirbook.runtime.tasks import end_tasks

MAX_BODY_BYTES = 1024 * 1024
"""Maximum size of a body in bytes: a longer one would not arrive within the deadline over a busy link of 1
Gbit/s."""

MAX_VALUE_BYTES = MAX_BODY_BYTES + 4096
"""Maximum size of a value with its frame and headers, in bytes."""

MAX_QUEUED_BYTES = 16 * 1024 * 1024
"""Maximum size of offered values that wait to be written, in bytes; further ones are dropped."""

WRITE_PAUSE_S = 1.0
"""Pause after a failed write while reads work, in seconds: a Redis stays full or read-only for a while."""


LOOKUPS = ("hit", "miss", "corrupt", "error")
"""Possible results of a look-up."""


LEASE_S = 1.0
"""Time for which the lease of a dead process keeps others waiting, in seconds."""

WAIT_S = 1.5
"""Maximum wait for another process to load a key, in seconds; then each loads for itself."""

_FIRST_POLL_S = 0.005
_LONGEST_POLL_S = 0.05

# Only the holder of a lease releases it: it may have passed to another meanwhile.
_RELEASE = """
if redis.call('GETRANGE', KEYS[1], 0, 64) == ARGV[1] then return redis.call('UNLINK', KEYS[1]) end
return 0
"""


class SharedSlot(NamedTuple):
    """Place of one form of a resource."""

    key: str
    info: ResourceInfo
    """Catalog entry of the resource: the value found must match it."""
    form: Form


class LoadLease(NamedTuple):
    """Turn of this process to load a key."""

    key: str
    token: str = ""
    """Token of the lease; "" if there is none, and every process loads for itself."""


class _RedisTask(NamedTuple):
    """Background operation in Redis."""

    lease: LoadLease
    representation: Representation | None = None
    """Written under the key before the lease is released."""
    removed: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        return 0 if self.representation is None else len(self.representation.body)


class SharedStore:
    """Representations shared by all workers, by key.

    Args:
        feed: Announces changes among the workers. While it is down nothing is shared, as invalidations of
            others are unknown.
        keys: Names of the library's keys in Redis.
        codec: Serializes and parses values.
        ttl_s: Time to live of a value in Redis, in seconds.
    """

    def __init__(self, feed: Feed, keys: RedisKeys, codec: RepresentationCodec, ttl_s: float) -> None:
        self.feed = feed
        self.connection = feed.connection
        self._keys = keys
        self._codec = codec
        self._ttl_ms = max(1, int(ttl_s * 1000))
        self._token = secrets.token_hex(8)
        self._tasks: deque[_RedisTask] = deque()
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.lookups: Counter[str] = Counter()
        """Look-ups since the start, by their result, one of `LOOKUPS`."""
        self.writes = 0
        """Number of values written since the start."""
        self.dropped = 0
        """Number of values that were offered and not written, since the start."""

    def start(self) -> None:
        """Start to connect, and to write offered values, on the running event loop."""
        self.connection.start()
        self.feed.start()
        self._task = asyncio.create_task(self._work(), name="choirbook-shared-writes")

    async def stop(self) -> None:
        """End the tasks; values not written yet are lost."""
        await end_tasks(self._task)
        await self.feed.stop()
        await self.connection.stop()

    def slot(self, info: ResourceInfo, form: Form, portable: str) -> SharedSlot:
        """Return the slot of one form; see `RedisKeys.resource`."""
        return SharedSlot(self._keys.resource(info, form, portable, self.feed.epoch(info.type)), info, form)

    @property
    def is_usable(self) -> bool:
        """Whether Redis can be asked."""
        return self.connection.is_up and self.feed.is_up

    async def get(self, slot: SharedSlot) -> Representation | None:
        """Return the value of a slot, or None if there is none, or not in time, or it cannot be verified."""
        if not self.is_usable:
            self.lookups["error"] += 1
            return None
        try:
            found = await self._fetch(slot)
        except RedisCallError as error:
            # An error as reply: the key holds a value of another type.
            foreign = error.reason in {Reason.CORRUPT, Reason.REPLY}
            self.lookups["corrupt" if foreign else "error"] += 1
            return None
        self.lookups["miss" if found is None else "hit"] += 1
        return found

    async def acquire_lease(self, slot: SharedSlot) -> Representation | LoadLease:
        """Wait until another process has loaded a form, or until it is this one's turn to load it.

        The caller that gets the turn must call `offer` or `release`. If Redis fails, everyone gets a turn.
        """
        end_s = monotonic() + WAIT_S
        key, pause_s = slot.key, _FIRST_POLL_S
        lease_ms = int(LEASE_S * 1000)
        try:
            while monotonic() < end_s:
                lease = self._keys.lease(key)
                taken = await self.connection.call(
                    "SET", lease, self._token, "NX", "PX", lease_ms, parse=lambda reply: reply is not None
                )
                if taken:
                    return LoadLease(key, self._token)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_POLL_S)
                found = await self._fetch(slot)
                if found is not None:
                    self.lookups["hit"] += 1
                    return found
        except RedisCallError:
            pass
        return LoadLease(key)

    def offer(self, lease: LoadLease, representation: Representation) -> None:
        """Queue a value to be written, unless it is too long, the queue is full, or Redis is unavailable."""
        size_bytes = len(representation.body)
        fits = self._queued_bytes + size_bytes <= MAX_QUEUED_BYTES
        self.dropped += not fits
        if not fits or size_bytes > MAX_BODY_BYTES:
            self.release(lease)
            return
        self._do_soon(_RedisTask(lease, representation))

    def release(self, lease: LoadLease) -> None:
        """Give up the turn to load a key."""
        if lease.token:
            self._do_soon(_RedisTask(lease))

    def forget(self, keys: Sequence[str]) -> None:
        """Remove values, after everything offered before has been written."""
        self._do_soon(_RedisTask(LoadLease(""), removed=tuple(keys)))

    def _do_soon(self, task: _RedisTask) -> None:
        if self.is_usable:
            self._tasks.append(task)
            self._queued_bytes += task.size_bytes
            self._wake.set()

    async def _fetch(self, slot: SharedSlot) -> Representation | None:
        # A range, so that a foreign value of any length costs no more than one of ours.
        return await self.connection.call(
            "GETRANGE", slot.key, 0, MAX_VALUE_BYTES, parse=lambda reply: self._value_of(slot, reply)
        )

    def _value_of(self, slot: SharedSlot, reply: object) -> Representation | None:
        if reply == b"":
            return None
        if not isinstance(reply, bytes):
            raise Corrupt("it is not a string")
        try:
            return self._codec.unpack(*slot, reply)
        except Corrupt as error:
            self.feed.rejections.note(Purpose.VALUE.value, str(error))
            raise

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._tasks:
                task = self._tasks.popleft()
                self._queued_bytes -= task.size_bytes
                try:
                    await self._do(task)
                except RedisCallError:
                    self._give_up(task)
                    await asyncio.sleep(WRITE_PAUSE_S)

    async def _do(self, task: _RedisTask) -> None:
        if task.removed:
            await self.connection.call("UNLINK", *task.removed, parse=_ignore, is_patient=True)
        key, token = task.lease
        if task.representation is not None:
            value = self._codec.pack(key, task.representation)
            await self.connection.call(
                "SET", key, value, "PX", self._ttl_ms, parse=_expect_ok, is_patient=True
            )
            self.writes += 1
        if token:
            await self.connection.call(
                "EVAL", _RELEASE, 1, self._keys.lease(key), token, parse=_ignore, is_patient=True
            )

    def _give_up(self, task: _RedisTask) -> None:
        self.dropped += sum(each.representation is not None for each in (task, *self._tasks))
        self._tasks.clear()
        self._queued_bytes = 0


def _ignore(_: object) -> None:
    """Accept any reply."""


def _expect_ok(reply: object) -> None:
    if reply != b"OK":
        raise Corrupt("not the answer to a write")
