"""The feed by which workers of all hosts tell each other what changed, through Redis.

Each message carries a number, and Redis holds the last one: a listener that finds a number missing, or
the counter elsewhere, knows that messages were lost, though not which. Types and bytes of a message are
checked like anything from outside.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import Any, NamedTuple, Protocol

import msgspec

from carrel.cache.failures import LinkError, Reason
from carrel.cache.framing import Corrupt
from carrel.cache.generations import Generations
from carrel.cache.keys import Keys
from carrel.cache.redis_link import RedisLink
from carrel.model import Invalidation
from carrel.tasks import end_tasks

CHECK_S = 0.5
"""Between looks at the counter: a lost message is noticed at the second look, a second later at most."""

RETRY_S = 0.1
MAX_MESSAGE_BYTES = 64 * 1024

_NUMBER = "generation"
_ANNOUNCED = "announced_s"
_EPOCH = "epoch:"

# Number, time, epoch and message in one step: no reader sees one without the others.
_PUBLISH = """
local number = redis.call('HINCRBY', KEYS[1], 'generation', 1)
redis.call('HSET', KEYS[1], 'announced_s', redis.call('TIME')[1])
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], ARGV[2], number) end
redis.call('PUBLISH', ARGV[3], number .. ' ' .. ARGV[1])
return number
"""


class Edit(msgspec.Struct, frozen=True, tag="edit"):
    """Documents that are otherwise than they were."""

    documents: dict[str, str] | None
    """Portable version by canonical URI, "" where it is gone; None when they are too many to name."""


class Dropped(msgspec.Struct, frozen=True, tag="invalidation"):
    """What was kept in caches counts no longer."""

    scope: Invalidation


News = Edit | Dropped


class _Message(msgspec.Struct, frozen=True):
    sender: str
    news: News


class Listener(Protocol):
    """Who is told."""

    async def heard(self, news: News) -> None:
        """Take note of what another worker tells."""

    async def missed(self) -> None:
        """Take note that another worker told something that did not arrive."""


class _State(NamedTuple):
    number: int
    announced_s: int
    epochs: dict[str, int]


class Feed:
    """One worker's side of the feed.

    Args:
        link: The way to Redis.
        keys: The library's names there.
    """

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self.link = link
        self._keys = keys
        self._sender = secrets.token_hex(8)
        self._generations = Generations()
        self._epochs: dict[str, int] = {}
        self._listener: Listener | None = None
        self._on_turn: list[Callable[[], None]] = []
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._began_s = monotonic()
        self.is_up = False
        """Whether what others tell arrives."""
        self.losses = 0
        """How often messages were lost, since the start."""

    def epoch(self, type_: str) -> int:
        """Return the number of the last invalidation that concerned all of a type."""
        return max(self._epochs.get("", 0), self._epochs.get(type_, 0))

    def attend(self, listener: Listener) -> None:
        """Have somebody told what is heard from now on."""
        self._listener = listener

    def on_turn(self, call: Callable[[], None]) -> None:
        """Have a function called whenever `is_up` has changed."""
        self._on_turn.append(call)

    async def wait_up(self) -> None:
        """Wait until what others tell arrives."""
        await self._up.wait()

    def start(self) -> None:
        """Begin to listen, on the running event loop."""
        self._began_s = monotonic()
        self._task = asyncio.create_task(self._run(), name="carrel-feed")

    async def stop(self) -> None:
        """End the task."""
        await end_tasks(self._task)
        self._turn(is_up=False)

    async def publish(self, news: News) -> None:
        """Tell the other workers.

        Raises:
            LinkError: They were not told, or not all that they should be.
        """
        body = msgspec.json.encode(_Message(self._sender, news))
        epoch = ""
        if isinstance(news, Dropped) and news.scope.uri is None:
            epoch = _EPOCH + (news.scope.type or "")
        try:
            await self.link.call(
                "EVAL", _PUBLISH, 1, self._keys.feed, body, epoch, self._keys.channel, parse=_number_of
            )
        except LinkError as error:
            if error.reason not in {Reason.FULL, Reason.READ_ONLY}:
                raise
            # Without a number, which such a Redis does not take: who listens now is told all the same.
            await self._send_uncounted(body)
            if isinstance(news, Dropped):
                raise

    async def mention(self, news: Edit) -> None:
        """Tell those who listen now; who does not hear it has lost nothing.

        Raises:
            LinkError: They were not told.
        """
        await self._send_uncounted(msgspec.json.encode(_Message(self._sender, news)))

    async def _send_uncounted(self, body: bytes) -> None:
        await self.link.call("PUBLISH", self._keys.channel, b"0 " + body, parse=_number_of)

    async def _run(self) -> None:
        while True:
            await self.link.wait_up()
            try:
                async with self.link.subscribe(self._keys.channel) as messages:
                    await self._begin()
                    self._turn(is_up=True)
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._hear(messages))
                        group.create_task(self._check())
            except* LinkError:
                self._turn(is_up=False)
            await asyncio.sleep(RETRY_S)

    async def _begin(self) -> None:
        state = await self._state()
        now_s = await self.link.call("TIME", parse=_seconds_of)
        is_news = now_s - state.announced_s <= monotonic() - self._began_s + 1
        self._epochs = state.epochs
        if self._generations.begin(state.number, is_news=is_news):
            await self._miss()

    async def _hear(self, messages: AsyncIterator[bytes]) -> None:
        async for raw in messages:
            try:
                counted, message = _parse(raw)
            except Corrupt:
                self.link.errors[Reason.CORRUPT] += 1
                continue
            if counted and self._generations.hear(counted):
                await self._miss()
            await self._take(message, counted)

    async def _take(self, message: _Message, number: int) -> None:
        match message.news:
            case Dropped(Invalidation(uri=None, type=type_)) if number:
                self._epochs[type_ or ""] = number
        if self._listener is None or (message.sender == self._sender and isinstance(message.news, Edit)):
            return
        # What this worker dropped it drops once more: it may have read meanwhile what others shared before.
        await self._listener.heard(message.news)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            state = await self._state()
            if self._generations.compare(state.number):
                self._epochs = state.epochs
                await self._miss()
            for name, number in state.epochs.items():
                # A message may have come while the state was on its way.
                self._epochs[name] = max(number, self._epochs.get(name, 0))

    async def _miss(self) -> None:
        self.losses += 1
        if self._listener is not None:
            await self._listener.missed()

    async def _state(self) -> _State:
        return await self.link.call("HGETALL", self._keys.feed, parse=_state_of)

    def _turn(self, *, is_up: bool) -> None:
        if is_up == self.is_up:
            return
        self.is_up = is_up
        (self._up.set if is_up else self._up.clear)()
        for call in self._on_turn:
            call()


_decoder = msgspec.json.Decoder(_Message)


def _parse(raw: bytes) -> tuple[int, _Message]:
    if len(raw) > MAX_MESSAGE_BYTES:
        raise Corrupt("longer than any message")
    number, _, body = raw.partition(b" ")
    try:
        return _number_of(number), _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt("not a message") from error


def _number_of(reply: Any) -> int:
    """Return a number that Redis counts; digits in bytes are one too."""
    if isinstance(reply, bytes) and reply.isdigit() and len(reply) < _MAX_DIGITS:
        return int(reply)
    if isinstance(reply, int) and reply >= 0:
        return reply
    raise Corrupt("not a number")


def _seconds_of(reply: Any) -> int:
    if not isinstance(reply, list | tuple) or not reply:
        raise Corrupt("not a time")
    return _number_of(reply[0])


def _state_of(reply: Any) -> _State:
    if not isinstance(reply, dict) or len(reply) > _MAX_FIELDS:
        raise Corrupt("not the state of the feed")
    try:
        fields = {name.decode(): _number_of(value) for name, value in reply.items()}
    except (AttributeError, UnicodeDecodeError) as error:
        raise Corrupt("not the state of the feed") from error
    epochs = {name.removeprefix(_EPOCH): number for name, number in fields.items() if name.startswith(_EPOCH)}
    return _State(fields.get(_NUMBER, 0), fields.get(_ANNOUNCED, 0), epochs)


_MAX_DIGITS = 19
_MAX_FIELDS = 10_000
"""A library has a handful of types."""
