"""Thread that keeps the index of a library up to date and answers searches.

The first search starts the index (docs/adr/0010); then it follows the catalog's feed of changes. The thread
takes searches before documents, so a search waits for one document at most. The event loop and the thread
share two queues under one lock: documents to index, searches to answer.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from choirbook.catalog.catalog import Catalog
from choirbook.errors import SearchUnavailable
from choirbook.model import (
    Change,
    ResourceInfo,
    Source,
    SourceChanged,
    SourceError,
    SourceExhausted,
    SourceGone,
)
from choirbook.runtime.exhaustion import is_exhaustion, is_short
from choirbook.search.passages import SearchPart, parts_of
from choirbook.search.query import Query

if TYPE_CHECKING:
    from choirbook.search.index import Index, MatchedSection

log = logging.getLogger("choirbook.search")

MAX_WAITING = 64
"""Maximum number of queued searches, however fast each is."""

MAX_WAIT_S = 0.05
"""Maximum time in the queue, in seconds; a search that would wait longer is rejected at once, unless few are
before it."""

MAY_WAIT = 8
"""Number of searches that may be queued in any case: a few concurrent ones are no overload, however slow each
is."""

_LATEST_WEIGHT = 0.1
"""Weight of the latest search in the average duration: some ten of them decide, not one slow query."""

_BATCH = 64
"""Number of documents written together."""

BEGIN_AGAIN_S = 2.0
"""Minimum time between attempts to build the index when descriptors were exhausted, in seconds: each scans
the whole catalog."""

_END_DEADLINE_S = 5.0

_NO_ENGINE = "Search is unavailable. See the server's log for the reason; list or read resources instead."


class IndexAnswer(NamedTuple):
    """Result of a search."""

    found: list[MatchedSection]
    complete: bool
    """Whether all documents were indexed."""


class _QueuedSearch(NamedTuple):
    """A queued search."""

    query: Query
    type_: str | None
    limit: int
    answer: asyncio.Future[IndexAnswer]

    def resolve(self, answer: IndexAnswer) -> None:
        """Deliver the answer, unless the client has hung up."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def reject(self) -> None:
        """Report that there is no answer."""
        if not self.answer.done():
            self.answer.set_exception(SearchUnavailable(_NO_ENGINE))


class _Task(NamedTuple):
    """A document to index, or to remove if there is no info."""

    uri: str
    info: ResourceInfo | None


class Indexer:
    """Indexes one catalog, and answers searches.

    Args:
        catalog: Catalog to index.
        source: Source of the documents.
        is_ready: Returns whether the first scan is complete.
    """

    def __init__(self, catalog: Catalog, source: Source, is_ready: Callable[[], bool]) -> None:
        self._catalog = catalog
        self._source = source
        self._is_ready = is_ready
        self._changed = threading.Condition()
        self._pending: dict[str, ResourceInfo | None] = {}
        self._queued: deque[_QueuedSearch] = deque()
        self._ending = False
        self._has_failed = False
        self._was_exhausted = False
        """Whether it failed because descriptors were exhausted, so that another attempt may succeed."""
        self._failed_s = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._index: Index | None = None
        self._gathered = 0
        self._typical_s = 0.0
        self.complete = asyncio.Event()
        """Set while no document waits to be indexed, and when the engine has failed for good."""
        self._catalog.listen(self._on_change)

    @property
    def waiting(self) -> int:
        """Number of queued searches."""
        return len(self._queued)

    def begin(self) -> None:
        """Start on the running event loop; repeated calls have no effect."""
        if self._thread is not None and not self._may_begin_again():
            return
        self._ending = self._has_failed = self._was_exhausted = False
        self.complete.clear()
        self._loop = asyncio.get_running_loop()
        self._pending = {info.uri: info for info in self._catalog.infos() if info.uri == info.canonical_uri}
        self._thread = threading.Thread(target=self._run, name="choirbook-search", daemon=True)
        self._thread.start()

    def _may_begin_again(self) -> bool:
        with self._changed:
            return self._has_failed and self._was_exhausted and monotonic() - self._failed_s >= BEGIN_AGAIN_S

    async def stop(self) -> None:
        """End the thread and drop the index."""
        thread = self._thread
        if thread is None:
            return
        with self._changed:
            self._ending = True
            self._changed.notify()
            if self._index is not None:
                self._index.interrupt()
        await asyncio.to_thread(thread.join, _END_DEADLINE_S)
        self._thread = None

    async def ask(self, query: Query, type_: str | None, limit: int) -> IndexAnswer:
        """Run a search.

        Args:
            query: Parsed query.
            type_: Only resources of this type.
            limit: Maximum number of results.

        Raises:
            SearchUnavailable: Too many searches are queued, or there is no engine.
        """
        search = _QueuedSearch(query, type_, limit, asyncio.get_running_loop().create_future())
        with self._changed:
            if self._has_failed:
                raise SearchUnavailable(_NO_ENGINE)
            waiting = len(self._queued)
            if waiting >= MAX_WAITING or (waiting >= MAY_WAIT and waiting * self._typical_s > MAX_WAIT_S):
                raise SearchUnavailable(
                    f"{waiting} searches are already waiting. Try again in a few seconds."
                )
            self._queued.append(search)
            self._changed.notify()
        return await search.answer

    def _on_change(self, change: Change) -> None:
        if self._thread is None or self._has_failed:
            return
        self.complete.clear()
        with self._changed:
            for uri in (*change.removed, *change.added, *change.updated):
                info = self._catalog.find(uri)
                is_alias = info is not None and info.uri != info.canonical_uri
                self._pending[uri] = None if is_alias else info
            self._changed.notify()

    def _run(self) -> None:
        """Run the thread: answer, index, and wait for more."""
        try:
            # The engine takes a while to load, and is not needed unless somebody searches.
            from choirbook.search.index import Index

            index = self._index = Index()
            try:
                while (work := self._next(index)) is not None:
                    if isinstance(work, _QueuedSearch):
                        self._answer(index, work)
                    else:
                        self._take_in(index, work)
            finally:
                self._index = None
                index.close()
        except Exception as error:
            # Whatever the error, waiting clients must get a reply; the server continues without search.
            self._was_exhausted = _is_descriptor_shortage(error)
            if self._was_exhausted:
                log.warning("search is off until a file descriptor is free: %s", error)
            elif not self._ending:
                log.exception("search failed, it is off until the next start")
        self._reject_all()

    def _next(self, index: Index) -> _QueuedSearch | _Task | None:
        """Return the next task: searches first; None at the end. Waits while there is nothing."""
        while True:
            with self._changed:
                if self._ending:
                    return None
                if self._queued:
                    return self._queued.popleft()
                if self._pending:
                    return _Task(*self._pending.popitem())
            # The loop takes the lock too, and must not wait for a write.
            index.commit()
            self._call_on_loop(self._note_complete)
            with self._changed:
                self._changed.wait_for(lambda: self._ending or self._queued or self._pending)

    def _note_complete(self) -> None:
        # Changes that occurred after the thread reported completion are reported separately.
        if not self._pending:
            self.complete.set()

    def _answer(self, index: Index, search: _QueuedSearch) -> None:
        # Only queued documents are missing: this thread is indexing none of them now.
        complete = not self._pending and self._is_ready()
        start_s = monotonic()
        found = index.find(search.query, search.type_, search.limit)
        # Wall-clock time: what the event loop does meanwhile is part of how long the next search waits.
        self._typical_s += _LATEST_WEIGHT * (monotonic() - start_s - self._typical_s)
        self._call_on_loop(search.resolve, IndexAnswer(found, complete))

    def _take_in(self, index: Index, task: _Task) -> None:
        index.begin()
        parts = None if task.info is None else self._read(task.info)
        if task.info is None:
            index.remove(task.uri)
        elif parts is not None:
            index.put(task.info, parts)
        self._gathered += 1
        if self._gathered >= _BATCH:
            self._gathered = 0
            index.commit()

    def _read(self, info: ResourceInfo) -> list[SearchPart] | None:
        """Return a document's parts; None if it has changed, which the catalog will report."""
        try:
            return parts_of(info, self._source.read(info.path, info.version).data)
        except (SourceChanged, SourceGone):
            return None
        except SourceExhausted:
            # Otherwise it would be found by its title only until it changes: the index is rebuilt instead.
            raise
        except SourceError as error:
            log.warning("only the title of %s can be searched: %s", info.uri, error)
        except Exception:
            # One document on which the parser fails must not end the search in all others.
            log.exception("only the title of %s can be searched", info.uri)
        return [SearchPart(None, (), "", info.size)]

    def _reject_all(self) -> None:
        with self._changed:
            self._has_failed = not self._ending
            self._failed_s = monotonic()
            self._pending.clear()
            refused = list(self._queued)
            self._queued.clear()
        for search in refused:
            self._call_on_loop(search.reject)
        self._call_on_loop(self.complete.set)

    def _call_on_loop(self, call: Callable[..., None], *args: object) -> None:
        """Call a function on the event loop, from the thread."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            log.debug("the event loop is closed, so no search waits for an answer")


def _is_descriptor_shortage(error: Exception) -> bool:
    # SQLite reports no errno; a file that it cannot open at such a moment is worth another attempt, too.
    is_engine = type(error).__module__ == "sqlite3" and is_short()
    return isinstance(error, SourceExhausted) or is_exhaustion(error) or is_engine
