"""Invalidation: removes outdated content from the caches of a process."""

from __future__ import annotations

import asyncio
from math import inf

from choirbook.cache.epoch import InvalidationEpoch
from choirbook.cache.etags import ETags
from choirbook.cache.memory import MemoryCache
from choirbook.catalog.catalog import Catalog
from choirbook.library.follower import Follower
from choirbook.library.loader import Loader
from choirbook.library.outline_loader import OutlineLoader
from choirbook.model import Change, Invalidation

RECHECK_S = 4.0
"""Age in seconds from which a hit is compared with the source while changes are not announced: served content
is never older than the five seconds that Choirbook promises."""

_FORGET_AT_ONCE = 500
"""Number of URIs to invalidate before other tasks may run."""


class Invalidator:
    """Removes outdated content from the caches of one library.

    Args:
        catalog: Catalog of the documents; its changes invalidate content.
        follower: Looks at the source again.
        loader: Loads content that memory lacks, and removes shared values.
        memory: In-process cache.
        outline_loader: Cached outlines.
        etags: Cached entity tags.
        epoch: Epoch of the caches; each invalidation begins a new one.
    """

    def __init__(
        self,
        catalog: Catalog,
        follower: Follower,
        loader: Loader,
        memory: MemoryCache,
        outline_loader: OutlineLoader,
        etags: ETags,
        epoch: InvalidationEpoch,
    ) -> None:
        self._catalog = catalog
        self._follower = follower
        self._loader = loader
        self._memory = memory
        self._outline_loader = outline_loader
        self._etags = etags
        self._epoch = epoch
        catalog.listen(self._on_change)

    async def forget(self, scope: Invalidation) -> int:
        """Invalidate content, so that it is read from the source again; an empty scope has no effect.

        Returns:
            The number of URIs that were in memory.
        """
        self._epoch.advance()
        if scope.uri is not None:
            uris = self._forget_shared(scope.uri)
        else:
            uris = [info.uri for info in self._memory.infos() if scope.type in {None, info.type}]
            self._etags.forget_type(scope.type)
            self._follower.scan_soon()
        for number, uri in enumerate(uris, start=1):
            self._expire(uri)
            if number % _FORGET_AT_ONCE == 0:
                await asyncio.sleep(0)
        return len(uris)

    def recheck(self, *, rechecks: bool) -> None:
        """Start or stop comparing hits with the source every `RECHECK_S`; adds no cost to a hit."""
        self._memory.limit_ttl(RECHECK_S if rechecks else inf)
        self._etags.suspend(is_suspended=rechecks)

    def _expire(self, uri: str) -> None:
        self._memory.expire(uri)
        self._etags.forget(uri)
        for section in self._outline_loader.discard(uri):
            self._memory.expire(section)

    def _forget_shared(self, uri: str) -> list[str]:
        """Look at a resource again and remove its shared values; return its URIs, aliases included."""
        info = self._catalog.find(uri)
        if info is None:
            return []
        self._follower.look_soon({info.path})
        claim = self._catalog.rules.claim(info.path)
        uris = [uri] if claim is None else [claim.uri, *claim.aliases]
        named = [named for each in uris if (named := self._catalog.find(each)) and named.path == info.path]
        self._loader.forget(named)
        return [each.uri for each in named]

    def _on_change(self, change: Change) -> None:
        for uri in change.removed:
            self._memory.discard(uri)
            self._etags.forget(uri)
            for section in self._outline_loader.discard(uri):
                self._memory.discard(section)
