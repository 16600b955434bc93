"""Propagate changes to all workers on all hosts: connects a library with the feed.

Changes of the catalog and invalidations go out; those of other workers come in, and are looked at, never
trusted: the source is the authority on a document.

A change becomes visible everywhere at one moment (docs/adr/0012): it is announced before it is committed, and
all workers commit it `HOLD_S` after the announcement. Meanwhile reads of such a document go to the source,
and so wait for the change: no reader gets an older version from one worker after a newer one from another.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

from choirbook.catalog.changeset import Changeset
from choirbook.library.debounce import QUIET_S
from choirbook.library.library import Library
from choirbook.model import Change, Invalidation, ResourceInfo, Source
from choirbook.redis.errors import RedisCallError
from choirbook.redis.feed import Feed
from choirbook.redis.messages import CacheInvalidated, DocumentsChanged, News
from choirbook.runtime.tasks import end_tasks

MAX_NAMED = 100
"""Maximum number of documents named in a message; with more, it names none, and the others scan."""

MAX_WAITING = 100
"""Maximum number of messages queued while Redis is down; beyond it they are merged into "anything may have
changed"."""

MAX_REMEMBERED = 1000
"""Maximum number of documents whose last announcement is remembered."""

FIRST_RETRY_S = 0.02
"""First retry delay after a failed message, in seconds: after one missed deadline the message still arrives
in time."""

LONGEST_RETRY_S = 0.5
"""Longest retry delay, in seconds: a Redis that is full stays so for a while."""

HOLD_S = 0.1
"""Delay between the announcement of a change and its commit, in seconds. Workers may receive it that
far apart, or be delayed by other work."""

JOIN_S = 0.5
"""Maximum wait for the feed at startup, in seconds."""

JOINED_S = QUIET_S + HOLD_S + 0.05
"""Delay until the first look of a new worker shows in the others, after they have looked too, in seconds;
they may not have announced it yet."""

MAX_JOINED_S = 2.0
"""Maximum time in seconds for the others to look at a large library: a worker that replaces another one is
needed."""

TRIES = 3
"""Attempts to announce a change before it is committed; after that it is committed, and announced once Redis
is back."""

ALL = Invalidation()
EVERYTHING = DocumentsChanged(None)


class _Announcement(NamedTuple):
    """Last announcement of a document."""

    portable: str
    due_s: float
    """Monotonic time at which the change is or was committed."""


class Cluster:
    """Connects a library with a feed.

    Args:
        library: Library whose changes are announced, and which looks at those of others.
        feed: Sends and receives announcements.
        source: Source of the library.
    """

    def __init__(self, library: Library, feed: Feed, source: Source) -> None:
        self._library = library
        self._feed = feed
        self._source = source
        self._waiting: deque[News] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._announced: OrderedDict[str, _Announcement] = OrderedDict()
        self._held: dict[str, _Announcement] = {}
        """Changes that this worker announced and has not committed yet. Workers with their own trees announce
        different ones."""
        library.catalog.listen(self._on_change)
        library.follower.coordinate_with(self)
        feed.set_listener(self)
        feed.on_state_change(self._on_feed_change)

    @property
    def remembered(self) -> int:
        """Number of documents whose last announcement is remembered."""
        return max(len(self._announced), len(self._held))

    def start(self) -> None:
        """Start to send and to listen, on the running event loop."""
        self._on_feed_change()
        self._task = asyncio.create_task(self._send_queued(), name="choirbook-cluster")

    async def stop(self) -> None:
        """End the task; announcements not sent yet are lost."""
        await end_tasks(self._task)

    def announce_invalidation(self, scope: Invalidation) -> None:
        """Announce an invalidation to the other hosts, without waiting.

        Args:
            scope: As `Library.checked` returned it.
        """
        self._queue_announcement(CacheInvalidated(scope))

    async def on_news(self, news: News) -> None:
        """Look at the documents that another worker announces."""
        match news:
            case DocumentsChanged(documents=None):
                self._library.follower.scan_soon()
            case DocumentsChanged(documents=documents) if documents is not None:
                await self._look_at(documents)
            case CacheInvalidated(scope=scope):
                await self._library.forget(scope)

    async def on_loss(self) -> None:
        """Treat everything as changed, since announcements were lost."""
        await self._library.forget(ALL)

    def _on_feed_change(self) -> None:
        # While the feed is down, changes are not announced, and hits are compared with the source.
        self._library.recheck(rechecks=not self._feed.is_up)

    async def _look_at(self, documents: dict[str, str]) -> None:
        settled: dict[str, str] = {}
        await self._schedule_commit(documents)
        for uri, portable in documents.items():
            info = self._library.catalog.find(uri)
            known = "" if info is None else self._source.portable(info.version)
            if known == portable:
                continue
            if info is None:
                # Their paths are unknown here.
                self._library.follower.scan_soon()
            else:
                settled[info.path] = portable
        self._library.follower.look_soon(set(settled), settled)

    async def join(self) -> None:
        """Listen to announcements before anything is served, but do not wait long for Redis."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._feed.wait_up(), JOIN_S)

    async def joined(self, cost_s: float) -> None:
        """Make the others look at the source too, and give them time for it.

        If no worker with file system notifications was left, this worker may know of changes that the others
        find only by their next scan: readers would go back to an old version whenever one of those answers.
        """
        # Workers that are not reached are no worse off: while the feed is down all look by themselves.
        if self._feed.is_up and await self._announce_now(self._feed.notify, EVERYTHING):
            await asyncio.sleep(min(cost_s, MAX_JOINED_S))
        await asyncio.sleep(JOINED_S)

    async def agree(self, changeset: Changeset) -> dict[str, float]:
        """Announce a change that is about to be committed, and return when all commit it, by path."""
        if not self._feed.is_up or not self._library.is_ready:
            return {}
        infos = [info for info in changeset.by_uri.written.values() if info.uri == info.canonical_uri]
        gone = list(filter(None, map(self._library.catalog.find, changeset.by_uri.gone)))
        documents = {info.uri: self._portable(info) for info in infos} | {info.uri: "" for info in gone}
        if len(documents) > MAX_NAMED:
            # Looking at so many takes longer than other workers wait.
            return {}
        due = {uri: self._due_s(uri, portable) for uri, portable in documents.items()}
        news = {uri: documents[uri] for uri, due_s in due.items() if due_s is None}
        due_s = 0.0
        if news:
            await self._schedule_commit(news)
            if not await self._announce_now(self._feed.publish, DocumentsChanged(news)):
                self._queue_announcement(DocumentsChanged(news))
            # Others count from when they received it, which was later than this worker's clock reading.
            due_s = monotonic() + HOLD_S
            for uri, portable in news.items():
                announced = _Announcement(portable, due_s)
                self._hold(uri, announced)
                self._remember(uri, announced)
        now_s = monotonic()
        moments = {info.path: due[info.uri] or due_s for info in (*infos, *gone)}
        return {path: moment_s for path, moment_s in moments.items() if moment_s > now_s}

    def _due_s(self, uri: str, portable: str) -> float | None:
        """Return when a version becomes visible; None if it was not announced."""
        for announced in (self._announced.get(uri), self._held.get(uri)):
            if announced is not None and announced.portable == portable:
                return announced.due_s
        return None

    async def _announce_now(
        self, send: Callable[[DocumentsChanged], Awaitable[None]], news: DocumentsChanged
    ) -> bool:
        """Notify the others now, and return whether that succeeded."""
        for _ in range(TRIES):
            try:
                await send(news)
            except RedisCallError:
                # On a busy machine even a successful reply is too late now and then.
                continue
            return True
        return False

    async def _schedule_commit(self, documents: Mapping[str, str]) -> None:
        """Record when an announced change is committed, and make reads wait for it."""
        due_s = monotonic() + HOLD_S
        held: list[str] = []
        for uri, portable in documents.items():
            if self._is_new(uri, portable):
                self._remember(uri, _Announcement(portable, due_s))
                held.append(uri)
        if held:
            await self._forget(held)

    async def _forget(self, uris: Iterable[str]) -> None:
        for uri in uris:
            info = self._library.catalog.find(uri)
            if info is not None and self._is_new(uri, self._portable(info)):
                await self._library.forget(Invalidation(uri=uri))

    def _on_change(self, change: Change) -> None:
        # Results of the first scan are not changes.
        if not self._library.is_ready:
            return
        uris = (*change.added, *change.updated, *change.removed)
        # Each resource may have aliases, which are not named.
        if len(uris) > 2 * MAX_NAMED:
            self._queue_announcement(EVERYTHING)
            return
        documents = dict(self._news_of(uris))
        if documents:
            self._queue_announcement(DocumentsChanged(documents if len(documents) <= MAX_NAMED else None))

    def _news_of(self, uris: Iterable[str]) -> Iterable[tuple[str, str]]:
        for uri in uris:
            info = self._library.catalog.find(uri)
            if info is not None and info.uri != info.canonical_uri:
                continue
            portable = "" if info is None else self._portable(info)
            held = self._held.pop(uri, None)
            if self._is_new(uri, portable) and (held is None or held.portable != portable):
                yield uri, portable

    def _portable(self, info: ResourceInfo) -> str:
        return self._source.portable(info.version)

    def _is_new(self, uri: str, portable: str) -> bool:
        """Return whether a version differs from the last announced one."""
        announced = self._announced.get(uri)
        return announced is None or announced.portable != portable

    def _remember(self, uri: str, announced: _Announcement) -> None:
        self._announced[uri] = announced
        self._announced.move_to_end(uri)
        if len(self._announced) > MAX_REMEMBERED:
            self._announced.popitem(last=False)

    def _hold(self, uri: str, announced: _Announcement) -> None:
        # A change that was never committed, as the file changed again or was deleted, would stay for ever.
        self._held.pop(uri, None)
        self._held[uri] = announced
        if len(self._held) > MAX_REMEMBERED:
            del self._held[next(iter(self._held))]

    def _queue_announcement(self, news: News) -> None:
        if news == EVERYTHING and self._waiting and self._waiting[-1] == news:
            # A large change comes in steps, and one scan finds them all.
            return
        if len(self._waiting) >= MAX_WAITING:
            drops = any(isinstance(each, CacheInvalidated) for each in (*self._waiting, news))
            self._waiting.clear()
            news = CacheInvalidated(ALL) if drops else EVERYTHING
        self._waiting.append(news)
        self._wake.set()

    async def _send_queued(self) -> None:
        pause_s = FIRST_RETRY_S
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                news = self._waiting.popleft()
                try:
                    await self._feed.publish(news)
                    pause_s = FIRST_RETRY_S
                except RedisCallError:
                    self._waiting.appendleft(news)
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_RETRY_S)
                    await self._feed.connection.wait_up()
