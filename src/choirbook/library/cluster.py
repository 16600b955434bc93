"""What one worker sees, all workers of all hosts come to know: couples a library with the feed.

Outwards go the changes of the catalog and the invalidations; inwards come those of the others, which are
looked at, never believed: the source says what a document is.

A change shows everywhere at one moment (docs/adr/0012): it is told before it is made, and all make it
`HOLD_S` after it was told. Meanwhile reads of such a document go to the source, and so wait for the change:
no reader has an older version from one worker after a newer one from another.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

from choirbook.catalog.changeset import Draft
from choirbook.library.debounce import QUIET_S
from choirbook.library.library import Library
from choirbook.model import Change, Invalidation, ResourceInfo, Source
from choirbook.redis.errors import LinkError
from choirbook.redis.feed import Feed
from choirbook.redis.messages import Dropped, Edit, News
from choirbook.runtime.tasks import end_tasks

MAX_NAMED = 100
"""Documents that a message names; of more it says that they are many, and the others survey."""

MAX_WAITING = 100
"""Messages that wait while Redis is away; beyond, they are put together into "anything may have changed"."""

MAX_REMEMBERED = 1000
"""Documents of which is known what others told last."""

FIRST_RETRY_S = 0.02
"""After a message that did not go out: with a deadline that was missed once, it still arrives in time."""

LONGEST_RETRY_S = 0.5
"""After many: a Redis that is full stays so for a while."""

HOLD_S = 0.1
"""From when a change is told until it is made. Workers may hear of it that far apart, or be late by what else
they do."""

JOIN_S = 0.5
"""How long a worker that starts waits for the feed."""

JOINED_S = QUIET_S + HOLD_S + 0.05
"""What it sees of the source shows in the others by so much later, once they have looked, too; they may not
have told of it yet."""

MAX_JOINED_S = 2.0
"""How long it lets the others look at a large library: a worker that is to take another's place is missed."""

TRIES = 3
"""To tell of a change before it is made; then it is made, and told once Redis is back."""

ALL = Invalidation()
EVERYTHING = Edit(None)


class _Told(NamedTuple):
    """What was told of a document last."""

    portable: str
    due_s: float
    """When it is made, or was, on the monotonic clock."""


class Sharing:
    """Couples a library with a feed.

    Args:
        library: Whose changes are told, and which looks at those of others.
        feed: By which they are told.
        source: The library's source.
    """

    def __init__(self, library: Library, feed: Feed, source: Source) -> None:
        self._library = library
        self._feed = feed
        self._source = source
        self._waiting: deque[News] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._told: OrderedDict[str, _Told] = OrderedDict()
        self._held: dict[str, _Told] = {}
        """What this worker told and has not made yet. With trees of their own, others tell otherwise."""
        library.catalog.listen(self._on_change)
        library.freshness.agree_with(self)
        feed.attend(self)
        feed.on_turn(self._on_turn)

    @property
    def remembered(self) -> int:
        """Documents of which it is known what was told last."""
        return max(len(self._told), len(self._held))

    def start(self) -> None:
        """Begin to tell and to listen, on the running event loop."""
        self._on_turn()
        self._task = asyncio.create_task(self._tell(), name="choirbook-cluster")

    async def stop(self) -> None:
        """End the task; what was not told yet is forgotten."""
        await end_tasks(self._task)

    def tell_invalidated(self, scope: Invalidation) -> None:
        """Tell the other hosts what was invalidated here; waits for nothing.

        Args:
            scope: As `Library.checked` returned it.
        """
        self._say(Dropped(scope))

    async def heard(self, news: News) -> None:
        """Look at what another worker tells of."""
        match news:
            case Edit(documents=None):
                self._library.freshness.survey_soon()
            case Edit(documents=documents) if documents is not None:
                await self._look_at(documents)
            case Dropped(scope=scope):
                await self._library.forget(scope)

    async def missed(self) -> None:
        """Take everything for changed, since nobody knows what was."""
        await self._library.forget(ALL)

    def _on_turn(self) -> None:
        # While nobody tells of changes, hits are compared with the source.
        self._library.recheck(rechecks=not self._feed.is_up)

    async def _look_at(self, documents: dict[str, str]) -> None:
        settled: dict[str, str] = {}
        await self._appoint(documents)
        for uri, portable in documents.items():
            info = self._library.catalog.find(uri)
            known = "" if info is None else self._source.portable(info.version)
            if known == portable:
                continue
            if info is None:
                # Where it lies is known to nobody here.
                self._library.freshness.survey_soon()
            else:
                settled[info.path] = portable
        self._library.freshness.look_soon(set(settled), settled)

    async def join(self) -> None:
        """Hear what others are about to do before anything is served, but wait for no Redis for long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._feed.wait_up(), JOIN_S)

    async def joined(self, cost_s: float) -> None:
        """Have the others look at the source too, and give them the time for it.

        Where nobody was left whom the system tells of changes, this worker may know of some that the others
        find by their next survey only: readers would go back whenever one of those answers them.
        """
        # Who is not reached is no worse off than without: while the feed is down all look by themselves.
        if self._feed.is_up and await self._at_once(self._feed.mention, EVERYTHING):
            await asyncio.sleep(min(cost_s, MAX_JOINED_S))
        await asyncio.sleep(JOINED_S)

    async def agree(self, draft: Draft) -> dict[str, float]:
        """Tell of a change that is about to be made, and return when all make it, by path."""
        if not self._feed.is_up or not self._library.is_ready:
            return {}
        infos = [info for info in draft.by_uri.written.values() if info.uri == info.canonical_uri]
        gone = list(filter(None, map(self._library.catalog.find, draft.by_uri.gone)))
        documents = {info.uri: self._portable(info) for info in infos} | {info.uri: "" for info in gone}
        if len(documents) > MAX_NAMED:
            # They take longer to look at than anybody waits.
            return {}
        due = {uri: self._due_s(uri, portable) for uri, portable in documents.items()}
        news = {uri: documents[uri] for uri, due_s in due.items() if due_s is None}
        due_s = 0.0
        if news:
            await self._appoint(news)
            if not await self._at_once(self._feed.publish, Edit(news)):
                self._say(Edit(news))
            # Others count from when they heard, which was later than this worker's note.
            due_s = monotonic() + HOLD_S
            for uri, portable in news.items():
                told = _Told(portable, due_s)
                self._hold(uri, told)
                self._remember(uri, told)
        now_s = monotonic()
        moments = {info.path: due[info.uri] or due_s for info in (*infos, *gone)}
        return {path: moment_s for path, moment_s in moments.items() if moment_s > now_s}

    def _due_s(self, uri: str, portable: str) -> float | None:
        """Return when a version shows; None when nobody told of it."""
        for told in (self._told.get(uri), self._held.get(uri)):
            if told is not None and told.portable == portable:
                return told.due_s
        return None

    async def _at_once(self, tell: Callable[[Edit], Awaitable[None]], news: Edit) -> bool:
        """Tell the others now, and return whether they were told."""
        for _ in range(TRIES):
            try:
                await tell(news)
            except LinkError:
                # On a machine that is busy even a good answer comes too late now and then.
                continue
            return True
        return False

    async def _appoint(self, documents: Mapping[str, str]) -> None:
        """Note when a change that was just told is made, and have reads wait for it."""
        due_s = monotonic() + HOLD_S
        held: list[str] = []
        for uri, portable in documents.items():
            if self._is_news(uri, portable):
                self._remember(uri, _Told(portable, due_s))
                held.append(uri)
        if held:
            await self._forget(held)

    async def _forget(self, uris: Iterable[str]) -> None:
        for uri in uris:
            info = self._library.catalog.find(uri)
            if info is not None and self._is_news(uri, self._portable(info)):
                await self._library.forget(Invalidation(uri=uri))

    def _on_change(self, change: Change) -> None:
        # What the first survey finds is not a change.
        if not self._library.is_ready:
            return
        uris = (*change.added, *change.updated, *change.removed)
        # Each resource may have aliases, which are not named.
        if len(uris) > 2 * MAX_NAMED:
            self._say(EVERYTHING)
            return
        documents = dict(self._news_of(uris))
        if documents:
            self._say(Edit(documents if len(documents) <= MAX_NAMED else None))

    def _news_of(self, uris: Iterable[str]) -> Iterable[tuple[str, str]]:
        for uri in uris:
            info = self._library.catalog.find(uri)
            if info is not None and info.uri != info.canonical_uri:
                continue
            portable = "" if info is None else self._portable(info)
            held = self._held.pop(uri, None)
            if self._is_news(uri, portable) and (held is None or held.portable != portable):
                yield uri, portable

    def _portable(self, info: ResourceInfo) -> str:
        return self._source.portable(info.version)

    def _is_news(self, uri: str, portable: str) -> bool:
        """Tell whether nobody told it yet, or something else since."""
        told = self._told.get(uri)
        return told is None or told.portable != portable

    def _remember(self, uri: str, told: _Told) -> None:
        self._told[uri] = told
        self._told.move_to_end(uri)
        if len(self._told) > MAX_REMEMBERED:
            self._told.popitem(last=False)

    def _hold(self, uri: str, told: _Told) -> None:
        # One that was never made, as the file changed again or went, would stay for ever.
        self._held.pop(uri, None)
        self._held[uri] = told
        if len(self._held) > MAX_REMEMBERED:
            del self._held[next(iter(self._held))]

    def _say(self, news: News) -> None:
        if news == EVERYTHING and self._waiting and self._waiting[-1] == news:
            # A large change comes in steps, and one survey finds them all.
            return
        if len(self._waiting) >= MAX_WAITING:
            drops = any(isinstance(each, Dropped) for each in (*self._waiting, news))
            self._waiting.clear()
            news = Dropped(ALL) if drops else EVERYTHING
        self._waiting.append(news)
        self._wake.set()

    async def _tell(self) -> None:
        pause_s = FIRST_RETRY_S
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                news = self._waiting.popleft()
                try:
                    await self._feed.publish(news)
                    pause_s = FIRST_RETRY_S
                except LinkError:
                    self._waiting.appendleft(news)
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_RETRY_S)
                    await self._feed.link.wait_up()
