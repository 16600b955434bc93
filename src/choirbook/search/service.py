"""Search, as the surfaces see it: a query in words, checked, asked, and answered from the catalog."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from choirbook.errors import InvalidParams
from choirbook.library.library import Library
from choirbook.model import Source
from choirbook.search.indexer import Indexing
from choirbook.search.query import parse_query
from choirbook.search.results import Hit, Results

if TYPE_CHECKING:
    from choirbook.search.index import MatchedSection

DEFAULT_LIMIT = 10
MAX_LIMIT = 50

PATIENCE_S = 1.0
"""How long a search waits for the index to be complete; for some hundred documents that is enough."""


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
        self._library = library
        self._catalog = library.catalog
        self._indexing = Indexing(library.catalog, source, lambda: library.is_ready)
        self._observe = observe
        self._observe_empty = observe_empty

    @property
    def is_complete(self) -> bool:
        """Whether the index has been begun and all documents are in it."""
        return self._indexing.complete.is_set() and self._library.is_ready

    @property
    def waiting(self) -> int:
        """Searches that wait for their turn."""
        return self._indexing.waiting

    def prepare(self) -> None:
        """Begin to build the index, if that was not begun; again and again does no harm.

        Call it on the running event loop.
        """
        self._indexing.begin()

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
        answer = await self._indexing.ask(words, type_, limit + 1)
        hits = [hit for found in answer.found if (hit := self._hit(found)) is not None]
        self._observe(monotonic() - start_s)
        if is_usage and not hits and answer.complete:
            self._observe_empty(query)
        return Results(tuple(hits[:limit]), len(answer.found) > limit, answer.complete)

    async def stop(self) -> None:
        """End the thread and drop the index."""
        await self._indexing.stop()

    def _check(self, type_: str | None, limit: int) -> None:
        types = self._catalog.rules.types
        if type_ is not None and type_ not in types:
            raise InvalidParams(
                f"There is no type {type_[:32]!r}. The types are: {', '.join(types)}.", {"types": list(types)}
            )
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidParams(f"The limit is {limit}. It can be a number from 1 to {MAX_LIMIT}.")

    async def _wait_complete(self) -> None:
        if self._indexing.complete.is_set():
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._indexing.complete.wait()
        except TimeoutError:
            pass

    def _hit(self, found: MatchedSection) -> Hit | None:
        """Make a hit of what was found, unless its document has gone meanwhile."""
        info = self._catalog.find(found.uri)
        if info is None:
            return None
        title = found.heading_path[-1] if found.heading_path else info.title
        return Hit(info, found.slug, title, found.heading_path, found.snippet, found.size_bytes, found.score)
