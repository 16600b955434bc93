"""The level that all workers of all hosts share, in Redis: get and offer representations.

Speed, never truth: whatever goes wrong here is counted, and a miss. A value that is offered is written
by a task of its own, so no reader waits for it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

from carrel.cache.feed import Feed
from carrel.cache.framing import Corrupt, pack, unpack
from carrel.cache.keys import Keys
from carrel.cache.redis_link import LinkError, Reason
from carrel.model import Form, Representation, ResourceInfo

MAX_BODY_BYTES = 1024 * 1024
"""A longer one would not come within the deadline over a link of 1 Gbit/s that has other work too."""

MAX_VALUE_BYTES = MAX_BODY_BYTES + 4096
"""Of a value with its frame and headers."""

MAX_QUEUED_BYTES = 16 * 1024 * 1024
"""Offered values that wait to be written; what comes beyond is dropped."""

WRITE_PAUSE_S = 1.0
"""After a write that failed while reads work: a Redis that is full or read-only stays so for a while."""


LOOKUPS = ("hit", "miss", "corrupt", "error")
"""What a look-up can come to."""


class _Offer(NamedTuple):
    keys: tuple[str, ...]
    representation: Representation | None
    """What is written under the only key; None removes all of them."""

    @property
    def size_bytes(self) -> int:
        return 0 if self.representation is None else len(self.representation.body)


class SharedLevel:
    """Representations by key.

    Args:
        feed: How the workers tell each other what changed. While it is down nothing is shared: what the
            others have dropped is not known.
        keys: The library's names in Redis.
        ttl_s: After which Redis forgets a value, in seconds.
    """

    def __init__(self, feed: Feed, keys: Keys, ttl_s: float) -> None:
        self.feed = feed
        self.link = feed.link
        self._keys = keys
        self._ttl_ms = max(1, int(ttl_s * 1000))
        self._offers: deque[_Offer] = deque()
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.lookups: Counter[str] = Counter()
        """What look-ups came to since the start, by one of `LOOKUPS`."""
        self.writes = 0
        """Values written since the start."""
        self.dropped = 0
        """Values that were offered and not written, since the start."""

    def start(self) -> None:
        """Begin to connect, and to write what is offered, on the running event loop."""
        self.link.start()
        self.feed.start()
        self._task = asyncio.create_task(self._write_offers(), name="carrel-shared-writes")

    async def stop(self) -> None:
        """End the tasks; what was not written yet is forgotten."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.feed.stop()
        await self.link.stop()

    def key(self, info: ResourceInfo, form: Form, portable: str) -> str:
        """Return the key of one form; see `Keys.resource`."""
        return self._keys.resource(info, form, portable, self.feed.epoch(info.type))

    @property
    def is_usable(self) -> bool:
        """Whether there is any use in asking."""
        return self.link.is_up and self.feed.is_up

    async def get(self, key: str) -> Representation | None:
        """Return the value of a key, or None when there is none that can be had in time and believed."""
        if not self.is_usable:
            self.lookups["error"] += 1
            return None
        try:
            # A range, so that a foreign value of any length costs no more than one of ours.
            found = await self.link.call(
                "GETRANGE", key, 0, MAX_VALUE_BYTES, parse=lambda reply: _value_of(key, reply)
            )
        except LinkError as error:
            # An error as the reply: the key holds something of another kind.
            foreign = error.reason in {Reason.CORRUPT, Reason.REPLY}
            self.lookups["corrupt" if foreign else "error"] += 1
            return None
        self.lookups["miss" if found is None else "hit"] += 1
        return found

    def offer(self, key: str, representation: Representation) -> None:
        """Have a value written soon, unless it is too long, too many wait, or Redis cannot be used."""
        size_bytes = len(representation.body)
        if not self.is_usable or size_bytes > MAX_BODY_BYTES:
            return
        if self._queued_bytes + size_bytes > MAX_QUEUED_BYTES:
            self.dropped += 1
            return
        self._offers.append(_Offer((key,), representation))
        self._queued_bytes += size_bytes
        self._wake.set()

    def forget(self, keys: Sequence[str]) -> None:
        """Have values removed, after all that was offered before has been written."""
        if self.is_usable:
            self._offers.append(_Offer(tuple(keys), None))
            self._wake.set()

    async def _write_offers(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._offers:
                offer = self._offers.popleft()
                self._queued_bytes -= offer.size_bytes
                try:
                    await self._write(offer)
                except LinkError:
                    self._give_up(offer)
                    await asyncio.sleep(WRITE_PAUSE_S)

    async def _write(self, offer: _Offer) -> None:
        if offer.representation is None:
            await self.link.call("UNLINK", *offer.keys, parse=lambda _: None)
            return
        (key,) = offer.keys
        value = pack(key, offer.representation)
        await self.link.call("SET", key, value, "PX", self._ttl_ms, parse=_expect_ok)
        self.writes += 1

    def _give_up(self, offer: _Offer) -> None:
        self.dropped += sum(each.representation is not None for each in (offer, *self._offers))
        self._offers.clear()
        self._queued_bytes = 0


def _value_of(key: str, reply: object) -> Representation | None:
    if reply == b"":
        return None
    if not isinstance(reply, bytes):
        raise Corrupt("not a string")
    return unpack(key, reply)


def _expect_ok(reply: object) -> None:
    if reply != b"OK":
        raise Corrupt("not the answer to a write")
