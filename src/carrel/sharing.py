"""What one worker sees, all workers of all hosts come to know: couples a library with the feed.

Outwards go the changes of the catalog and the invalidations; inwards come those of the others, which are
looked at, never believed: the source says what a document is.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable

from carrel.cache.feed import Dropped, Edit, Feed, News
from carrel.cache.redis_link import LinkError
from carrel.library import Library
from carrel.model import Change, Invalidation, Source

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

ALL = Invalidation()


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
        self._told: OrderedDict[str, str] = OrderedDict()
        library.catalog.listen(self._on_change)
        library.on_invalidation(self._on_invalidation)
        feed.attend(self)
        feed.on_turn(self._on_turn)

    def start(self) -> None:
        """Begin to tell and to listen, on the running event loop."""
        self._on_turn()
        self._task = asyncio.create_task(self._tell(), name="carrel-sharing")

    async def stop(self) -> None:
        """End the task; what was not told yet is forgotten."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def heard(self, news: News) -> None:
        """Look at what another worker tells of."""
        match news:
            case Edit(documents=None):
                self._library.freshness.survey_soon()
            case Edit(documents=documents) if documents is not None:
                self._look_at(documents)
            case Dropped(scope=scope):
                await self._library.forget(scope)

    async def missed(self) -> None:
        """Take everything for changed, since nobody knows what was."""
        await self._library.forget(ALL)

    def _on_turn(self) -> None:
        # While nobody tells of changes, hits are compared with the source.
        self._library.recheck(rechecks=not self._feed.is_up)

    def _look_at(self, documents: dict[str, str]) -> None:
        paths: set[str] = set()
        for uri, portable in documents.items():
            self._remember(uri, portable)
            info = self._library.catalog.find(uri)
            known = "" if info is None else self._source.portable(info.version)
            if known == portable:
                continue
            if info is None:
                # Where it lies is known to nobody here.
                self._library.freshness.survey_soon()
            else:
                paths.add(info.path)
        self._library.freshness.look_soon(paths)

    def _on_change(self, change: Change) -> None:
        # What the first survey finds is not a change.
        if not self._library.is_ready:
            return
        uris = (*change.added, *change.updated, *change.removed)
        # Each resource may have aliases, which are not named.
        if len(uris) > 2 * MAX_NAMED:
            self._say(Edit(None))
            return
        documents = dict(self._news_of(uris))
        if documents:
            self._say(Edit(documents if len(documents) <= MAX_NAMED else None))

    def _news_of(self, uris: Iterable[str]) -> Iterable[tuple[str, str]]:
        for uri in uris:
            info = self._library.catalog.find(uri)
            if info is not None and info.uri != info.canonical_uri:
                continue
            portable = "" if info is None else self._source.portable(info.version)
            # What others told need not be told to them.
            if self._told.get(uri) != portable:
                yield uri, portable

    def _remember(self, uri: str, portable: str) -> None:
        self._told[uri] = portable
        self._told.move_to_end(uri)
        if len(self._told) > MAX_REMEMBERED:
            self._told.popitem(last=False)

    def _on_invalidation(self, scope: Invalidation) -> None:
        self._say(Dropped(scope))

    def _say(self, news: News) -> None:
        if news == Edit(None) and self._waiting and self._waiting[-1] == news:
            # A large change comes in steps, and one survey finds them all.
            return
        if len(self._waiting) >= MAX_WAITING:
            drops = any(isinstance(each, Dropped) for each in (*self._waiting, news))
            self._waiting.clear()
            news = Dropped(ALL) if drops else Edit(None)
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
