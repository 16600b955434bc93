"""Search, as the surfaces see it: an index that follows the catalog, on a thread of its own.

The index is begun by the first search (docs/adr/0010) and then kept up to date by the catalog's feed of
changes. Its one thread takes searches before documents, so a search waits for one document at most. The
event loop and the thread share what is under one lock: documents to look at, searches to answer.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from carrel.errors import InvalidParams, SearchUnavailable
from carrel.library import Library
from carrel.model import Change, ResourceInfo, Source, SourceChanged, SourceError, SourceGone
from carrel.search.parts import Part, parts_of
from carrel.search.query import Query, parse_query
from carrel.sections.addressing import section_uri
from carrel.tokens import estimate_tokens

if TYPE_CHECKING:
    from carrel.search.index import Found, Index

log = logging.getLogger("carrel.search")

DEFAULT_LIMIT = 10
MAX_LIMIT = 50

PATIENCE_S = 1.0
"""How long a search waits for the index to be complete; for some hundred documents that is enough."""

MAX_WAITING = 64
"""Searches that wait at once, however little each of them takes."""

MAX_WAIT_S = 0.05
"""For how long a search may wait for those before it; one that would wait longer is refused at once, unless
there are few before it."""

MAY_WAIT = 8
"""Searches that may wait in any case: a few that come at once are no overload, however long each takes."""

_MEMORY = 0.1
"""Weight of the latest search in what is typical: some ten of them decide, so one dear query does not."""

_BATCH = 64
"""Documents written together."""

_END_DEADLINE_S = 5.0

_NO_ENGINE = "There is no search at the moment. The server's log says why; list or read resources instead."


class Hit(msgspec.Struct, frozen=True):
    """A section, or a document, that a query finds."""

    info: ResourceInfo
    """Of the document, as the catalog has it now."""
    slug: str | None
    """Of the section; None for the document."""
    title: str
    """The section's, or the document's."""
    heading_path: tuple[str, ...]
    snippet: str
    """One line of the text, around the words that were found."""
    size: int
    """Bytes of what `uri` reads."""
    score: float
    """Higher is better; see `Found`."""

    @property
    def uri(self) -> str:
        """Canonical, with the section where it is one."""
        return self.info.uri if self.slug is None else section_uri(self.info.uri, self.slug)

    @property
    def tokens(self) -> int:
        """About how many tokens of a model's context it takes."""
        return estimate_tokens(self.size)


class Results(msgspec.Struct, frozen=True):
    """The answer to a search."""

    hits: tuple[Hit, ...]
    """The best first."""
    more: bool
    """Whether there are further ones."""
    complete: bool
    """Whether all documents were looked at; if not, the index is still being built."""


class _Answer(NamedTuple):
    found: list[Found]
    complete: bool


class _Asked(NamedTuple):
    """A search that waits."""

    query: Query
    type_: str | None
    limit: int
    answer: asyncio.Future[_Answer]

    def resolve(self, answer: _Answer) -> None:
        """Hand over the answer, unless the client has hung up."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def refuse(self) -> None:
        """Say that there is none."""
        if not self.answer.done():
            self.answer.set_exception(SearchUnavailable(_NO_ENGINE))


class _Task(NamedTuple):
    """A document to take in, or to drop where there is no info."""

    uri: str
    info: ResourceInfo | None


class Search:
    """Searches one library.

    Args:
        library: Whose catalog is followed.
        source: Where documents are read.
        observe: Told on the event loop how long each search took, in seconds.
        observe_empty: Told there of each query for which a whole library has nothing.
    """

    def __init__(
        self,
        library: Library,
        source: Source,
        observe: Callable[[float], None],
        observe_empty: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._observe_empty = observe_empty
        self._library = library
        self._catalog = library.catalog
        self._source = source
        self._observe = observe
        self._changed = threading.Condition()
        self._pending: dict[str, ResourceInfo | None] = {}
        self._asked: deque[_Asked] = deque()
        self._ending = False
        self._has_failed = False
        self._complete = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._index: Index | None = None
        self._gathered = 0
        self._typical_s = 0.0
        self._catalog.listen(self._on_change)

    @property
    def is_complete(self) -> bool:
        """Whether the index has been begun and all documents are in it."""
        return self._complete.is_set() and self._library.is_ready

    @property
    def waiting(self) -> int:
        """Searches that wait for their turn."""
        return len(self._asked)

    def prepare(self) -> None:
        """Begin to build the index, if that was not begun; again and again does no harm.

        Call it on the running event loop.
        """
        if self._thread is not None:
            return
        self._ending = self._has_failed = False
        self._complete.clear()
        self._loop = asyncio.get_running_loop()
        self._pending = {info.uri: info for info in self._catalog.infos() if info.uri == info.canonical_uri}
        self._thread = threading.Thread(target=self._run, name="carrel-search", daemon=True)
        self._thread.start()

    async def search(
        self,
        query: str,
        type_: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        is_usage: bool = True,
    ) -> Results:
        """Find the sections that fit a query best.

        Args:
            query: Words; nothing in it has a meaning beyond that.
            type_: Only resources of this type.
            limit: Hits at most, from 1 to `MAX_LIMIT`.
            is_usage: Whether it counts among the searches that found nothing, where it does.

        Raises:
            InvalidParams: An argument cannot be used.
            NotReady: The library is still being surveyed.
            SearchUnavailable: Too many searches wait, or there is no engine.
        """
        start_s = monotonic()
        words = parse_query(query)
        self._check(type_, limit)
        if not self._library.is_ready:
            await self._library.wait_ready()
        self.prepare()
        await self._wait_complete()
        answer = await self._ask(words, type_, limit + 1)
        hits = [hit for found in answer.found if (hit := self._hit(found)) is not None]
        self._observe(monotonic() - start_s)
        if is_usage and not hits and answer.complete:
            self._observe_empty(query)
        return Results(tuple(hits[:limit]), len(answer.found) > limit, answer.complete)

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

    def _check(self, type_: str | None, limit: int) -> None:
        types = self._catalog.rules.types
        if type_ is not None and type_ not in types:
            raise InvalidParams(
                f"There is no type {type_[:32]!r}. The types are: {', '.join(types)}.", {"types": list(types)}
            )
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidParams(f"The limit is {limit}. It can be a number from 1 to {MAX_LIMIT}.")

    async def _wait_complete(self) -> None:
        if self._complete.is_set():
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._complete.wait()
        except TimeoutError:
            pass

    async def _ask(self, query: Query, type_: str | None, limit: int) -> _Answer:
        asked = _Asked(query, type_, limit, asyncio.get_running_loop().create_future())
        with self._changed:
            if self._has_failed:
                raise SearchUnavailable(_NO_ENGINE)
            waiting = len(self._asked)
            if waiting >= MAX_WAITING or (waiting >= MAY_WAIT and waiting * self._typical_s > MAX_WAIT_S):
                raise SearchUnavailable(f"{waiting} searches wait already. Try again in a few seconds.")
            self._asked.append(asked)
            self._changed.notify()
        return await asked.answer

    def _hit(self, found: Found) -> Hit | None:
        """Make a hit of what was found, unless its document has gone meanwhile."""
        info = self._catalog.find(found.uri)
        if info is None:
            return None
        title = found.heading_path[-1] if found.heading_path else info.title
        return Hit(info, found.slug, title, found.heading_path, found.snippet, found.size_bytes, found.score)

    def _on_change(self, change: Change) -> None:
        if self._thread is None or self._has_failed:
            return
        self._complete.clear()
        with self._changed:
            for uri in (*change.removed, *change.added, *change.updated):
                info = self._catalog.find(uri)
                is_alias = info is not None and info.uri != info.canonical_uri
                self._pending[uri] = None if is_alias else info
            self._changed.notify()

    def _run(self) -> None:
        """Do the thread's work: answer, index, and wait for more."""
        # The engine takes a while to load, and a server that nobody searches never needs it.
        from carrel.search.index import Index

        try:
            index = self._index = Index()
            try:
                while (work := self._next(index)) is not None:
                    if isinstance(work, _Asked):
                        self._answer(index, work)
                    else:
                        self._take_in(index, work)
            finally:
                self._index = None
                index.close()
        except Exception:
            # Whatever it was, those who wait have to be told; the server goes on without a search.
            if not self._ending:
                log.exception("searching failed, it is off until the next start")
        self._refuse_all()

    def _next(self, index: Index) -> _Asked | _Task | None:
        """Return what to do next: searches first; None at the end. Waits while there is nothing."""
        while True:
            with self._changed:
                if self._ending:
                    return None
                if self._asked:
                    return self._asked.popleft()
                if self._pending:
                    return _Task(*self._pending.popitem())
            # The loop takes the lock too, and must not wait for a write.
            index.commit()
            self._tell(self._note_complete)
            with self._changed:
                self._changed.wait_for(lambda: self._ending or self._asked or self._pending)

    def _note_complete(self) -> None:
        # What changed since the thread said so has a say of its own.
        if not self._pending:
            self._complete.set()

    def _answer(self, index: Index, asked: _Asked) -> None:
        # Only documents that wait are missing: this thread is at none of them now.
        complete = not self._pending and self._library.is_ready
        start_s = monotonic()
        found = index.find(asked.query, asked.type_, asked.limit)
        # As the clock has it: what the event loop does meanwhile is a part of how long the next one waits.
        self._typical_s += _MEMORY * (monotonic() - start_s - self._typical_s)
        self._tell(asked.resolve, _Answer(found, complete))

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

    def _read(self, info: ResourceInfo) -> list[Part] | None:
        """Return a document's parts; None when it has changed, which the catalog will tell of."""
        try:
            return parts_of(info, self._source.read(info.path, info.version).data)
        except (SourceChanged, SourceGone):
            return None
        except SourceError as error:
            log.warning("%s is found by its title only: %s", info.uri, error)
        except Exception:
            # One document that the parser fails on must not end the search in all others.
            log.exception("%s is found by its title only", info.uri)
        return [Part(None, (), "", info.size)]

    def _refuse_all(self) -> None:
        with self._changed:
            self._has_failed = not self._ending
            self._pending.clear()
            refused = list(self._asked)
            self._asked.clear()
        for asked in refused:
            self._tell(asked.refuse)
        self._tell(self._complete.set)

    def _tell(self, call: Callable[..., None], *args: object) -> None:
        """Have something called on the event loop, from the thread."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            log.debug("nobody waits any more, the event loop is closed")
