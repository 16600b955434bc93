"""Removal of outdated content from the caches of a process."""

from __future__ import annotations

import asyncio
from math import inf

from choirbook.cache.epoch import InvalidationEpoch
from choirbook.cache.etags import Validators
from choirbook.cache.memory import MemoryCache
from choirbook.catalog.catalog import Catalog
from choirbook.library.follower import Freshness
from choirbook.library.loader import Loading
from choirbook.library.outlines import Outlining
from choirbook.model import Change, Invalidation

RECHECK_S = 4.0
"""Age from which a hit is compared with the source while nobody reports changes: content never gets
older than the five seconds that Choirbook promises."""

_FORGET_AT_ONCE = 500
"""URIs to forget before other tasks get their turn."""


class Forgetting:
    """Keeps what is out of date out of the caches of one library.

    Args:
        catalog: What there is; its changes are listened to.
        freshness: What looks at the source again.
        loading: The way past memory.
        memory: The in-process cache.
        outlining: The outlines kept.
        validators: The entity tags kept.
        epoch: Of the caches; each invalidation begins another one.
    """

    def __init__(
        self,
        catalog: Catalog,
        freshness: Freshness,
        loading: Loading,
        memory: MemoryCache,
        outlining: Outlining,
        validators: Validators,
        epoch: InvalidationEpoch,
    ) -> None:
        self._catalog = catalog
        self._freshness = freshness
        self._loading = loading
        self._memory = memory
        self._outlining = outlining
        self._validators = validators
        self._epoch = epoch
        catalog.listen(self._on_change)

    async def forget(self, scope: Invalidation) -> int:
        """Make content be read from the source again; a scope that names nothing has no effect.

        Returns:
            The number of URIs that were in memory.
        """
        self._epoch.advance()
        if scope.uri is not None:
            uris = self._forget_shared(scope.uri)
        else:
            uris = [info.uri for info in self._memory.infos() if scope.type in {None, info.type}]
            self._validators.forget_type(scope.type)
            self._freshness.survey_soon()
        for number, uri in enumerate(uris, start=1):
            self._expire(uri)
            if number % _FORGET_AT_ONCE == 0:
                await asyncio.sleep(0)
        return len(uris)

    def recheck(self, *, rechecks: bool) -> None:
        """Start or stop comparing hits with the source every `RECHECK_S`; adds no cost to a hit."""
        self._memory.limit_ttl(RECHECK_S if rechecks else inf)
        self._validators.suspend(is_suspended=rechecks)

    def _expire(self, uri: str) -> None:
        self._memory.expire(uri)
        self._validators.forget(uri)
        for section in self._outlining.discard(uri):
            self._memory.expire(section)

    def _forget_shared(self, uri: str) -> list[str]:
        """Look at a resource again and remove its shared values; return its URIs, aliases included."""
        info = self._catalog.find(uri)
        if info is None:
            return []
        self._freshness.look_soon({info.path})
        claim = self._catalog.rules.claim(info.path)
        uris = [uri] if claim is None else [claim.uri, *claim.aliases]
        named = [named for each in uris if (named := self._catalog.find(each)) and named.path == info.path]
        self._loading.forget(named)
        return [each.uri for each in named]

    def _on_change(self, change: Change) -> None:
        for uri in change.removed:
            self._memory.discard(uri)
            self._validators.forget(uri)
            for section in self._outlining.discard(uri):
                self._memory.discard(section)
