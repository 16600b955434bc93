"""Someone who can write to Redis and does not know the secret: forges, swaps, replays and floods."""

from __future__ import annotations

import gzip
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec
import redis

from choirbook.model import Invalidation
from choirbook.redis.messages import CacheInvalidated, DocumentsChanged, FeedMessage, FeedState, MessageCodec
from choirbook.redis.signatures import SEAL_BYTES, Purpose, Signer
from tests.support.redis import RedisServer

SCRIPT = b"<html><script>alert(document.cookie)</script></html>"
DIGEST = "0" * 64
PAUSE_S = 0.01
FLOOD_BYTES = 1024 * 1024
BOMB = gzip.compress(bytes(2 * 1024 * 1024))
CHANNEL, FEED = "choirbook:library:changes", "choirbook:library:feed"


class Poisoner:
    """Writes to a Redis as fast as it can.

    Args:
        server: Whose Redis.
        signer: What is sealed with: a secret that is not the hosts', or none.
        speaks: Whether the feed is poisoned as well.
    """

    def __init__(self, server: RedisServer, signer: Signer, *, speaks: bool) -> None:
        self._speaks = speaks
        self._sizes: dict[str, int] = {}
        self._client = server.client()
        self._channel = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        self._channel.subscribe(CHANNEL)
        self._sealing = signer
        self._wire = MessageCodec(signer, FEED, CHANNEL)
        self._recorded: list[bytes] = []
        self._state = b""
        self._random = random.Random(1)  # noqa: S311 - repeats itself on purpose
        self.values = 0
        """Values that were replaced."""
        self.messages = 0
        """Messages that were sent."""

    def run(self, stop: threading.Event) -> None:
        """Go on until told to stop."""
        # With pauses, as the load and the server need the processor too.
        while not stop.wait(PAUSE_S):
            with suppress(redis.ResponseError):
                keys = list(self._client.scan_iter(match="choirbook:*:resource:*", count=1000))
                for key in keys:
                    self._replace(key.decode(), [each.decode() for each in keys])
                if self._speaks:
                    self._send()
                    self._meddle()
        self._channel.close()
        self._client.close()

    def _replace(self, key: str, keys: list[str]) -> None:
        """Replace the value of a key, if it is still there."""
        with suppress(msgspec.DecodeError, TypeError, ValueError):
            _, _, _, _, body = msgspec.msgpack.decode(self._bytes(key)[SEAL_BYTES:])
            self._sizes[key] = len(body)
        size = self._sizes.get(key, 0)
        match self._random.randrange(5):
            case 0:
                value = self._value(key, SCRIPT.ljust(size, b" "), is_coded=False)
            case 1:
                value = self._value(key, BOMB, is_coded=True)
            case 2:
                value = self._bytes(self._random.choice(keys))
            case 3:
                value = self._random.randbytes(200)
            case _:
                value = bytes(FLOOD_BYTES)
        self.values += bool(self._client.set(key, value, xx=True, px=60_000))

    def _bytes(self, key: str) -> bytes:
        found = self._client.get(key)
        return found if isinstance(found, bytes) else b""

    def _value(self, key: str, body: bytes, *, is_coded: bool) -> bytes:
        payload = msgspec.msgpack.encode(('"forged"', DIGEST, True, is_coded, body))
        return self._sealing.seal(Purpose.VALUE, key, payload)

    def _send(self) -> None:
        """Send forged and recorded messages, of which some name what there is not."""
        while (found := self._channel.get_message()) is not None:
            if len(self._recorded) < 1000:
                self._recorded.append(found["data"])
        number, now_s = int(time.time() * 1000) + self.messages, int(time.time())
        sender = f"forger-{self.messages}"
        forged = (
            FeedMessage(sender, number, 0, now_s, CacheInvalidated(Invalidation())),
            FeedMessage(
                sender,
                0,
                1,
                now_s,
                DocumentsChanged({f"mcp://resources/{number}/{each}": "1" for each in range(50)}),
            ),
            FeedMessage(sender, number + 1, 0, now_s, CacheInvalidated(Invalidation(type=f"type-{number}"))),
        )
        for message in (*map(self._wire.write, forged), bytes(FLOOD_BYTES), *self._recorded[:3]):
            self._client.publish(CHANNEL, message)
            self.messages += 1

    def _meddle(self) -> None:
        """Put the state of the feed back, or another in its place."""
        self._state = self._state or self._bytes(FEED)
        match self._random.randrange(4):
            case 0:
                self._client.set(FEED, self._wire.write_state(FeedState(2**50, 0, {"": 2**50})))
            case 1:
                self._client.set(FEED, self._state)
            case 2:
                self._client.delete(FEED)
            case _:
                self._client.delete(FEED)
                self._client.hset(FEED, "generation", "7")


@contextmanager
def poisoning(server: RedisServer, signer: Signer, *, speaks: bool = True) -> Iterator[Poisoner]:
    """Poison a Redis for as long as the context lasts, on a thread."""
    poisoner, stop = Poisoner(server, signer, speaks=speaks), threading.Event()
    thread = threading.Thread(target=poisoner.run, args=(stop,), name="poisoner")
    thread.start()
    try:
        yield poisoner
    finally:
        stop.set()
        thread.join()
