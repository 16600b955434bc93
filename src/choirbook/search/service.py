"""Search for the surfaces: parses queries, asks the index, and completes results from the catalog."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from choirbook.errors import InvalidParams
from choirbook.library.library import Library
from choirbook.model import Source
from choirbook.search.indexer import Indexer
from choirbook.search.query import parse_query
from choirbook.search.results import Hit, Results

if TYPE_CHECKING:
    from choirbook.search.index import MatchedSection

DEFAULT_LIMIT = 10
MAX_LIMIT = 50

PATIENCE_S = 1.0
"""Maximum wait of a search until the index is complete, in seconds; enough for some hundred documents."""


class SearchService:
    """Searches one library.

    Args:
        library: Library whose catalog is followed.
        source: Source of the documents.
        observe: Called on the event loop with the duration of each search, in seconds.
        observe_empty: Called there with each query without results in the complete library.
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
        self._indexer = Indexer(library.catalog, source, lambda: library.is_ready)
        self._observe = observe
        self._observe_empty = observe_empty

    @property
    def is_complete(self) -> bool:
        """Whether the index is built and contains all documents."""
        return self._indexer.complete.is_set() and self._library.is_ready

    @property
    def waiting(self) -> int:
        """Number of queued searches."""
        return self._indexer.waiting

    def prepare(self) -> None:
        """Start to build the index, unless that was done; repeated calls have no effect.

        Call it on the running event loop.
        """
        self._indexer.begin()

    async def search(
        self,
        query: str,
        type_: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        is_usage: bool = True,
    ) -> Results:
        """Find the sections that match a query best.

        Args:
            query: Words; no syntax is interpreted.
            type_: Only resources of this type.
            limit: Maximum number of hits, from 1 to `MAX_LIMIT`.
            is_usage: Whether it is recorded as a search without results, if it has none.

        Raises:
            InvalidParams: An argument cannot be used.
            NotReady: The library is still being scanned.
            SearchUnavailable: Too many searches are queued, or there is no engine.
        """
        start_s = monotonic()
        words = parse_query(query)
        self._check(type_, limit)
        if not self._library.is_ready:
            await self._library.wait_ready()
        self.prepare()
        await self._wait_complete()
        answer = await self._indexer.ask(words, type_, limit + 1)
        hits = [hit for found in answer.found if (hit := self._hit(found)) is not None]
        self._observe(monotonic() - start_s)
        if is_usage and not hits and answer.complete:
            self._observe_empty(query)
        return Results(tuple(hits[:limit]), len(answer.found) > limit, answer.complete)

    async def stop(self) -> None:
        """End the thread and drop the index."""
        await self._indexer.stop()

    def _check(self, type_: str | None, limit: int) -> None:
        types = self._catalog.rules.types
        if type_ is not None and type_ not in types:
            raise InvalidParams(
                f"There is no type {type_[:32]!r}. The types are: {', '.join(types)}.", {"types": list(types)}
            )
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidParams(f"The limit is {limit}. It can be a number from 1 to {MAX_LIMIT}.")

    async def _wait_complete(self) -> None:
        if self._indexer.complete.is_set():
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._indexer.complete.wait()
        except TimeoutError:
            pass

    def _hit(self, found: MatchedSection) -> Hit | None:
        """Convert a result of the index to a hit, unless its document has been deleted meanwhile."""
        info = self._catalog.find(found.uri)
        if info is None:
            return None
        title = found.heading_path[-1] if found.heading_path else info.title
        return Hit(info, found.slug, title, found.heading_path, found.snippet, found.size_bytes, found.score)
