"""What leaves a process's caches: what is gone, and what somebody called into question."""

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
"""Age from which a hit is compared with the source while nobody tells of changes: content is older than the
five seconds that Choirbook promises at no time."""

_FORGET_AT_ONCE = 500
"""URIs that are forgotten before others have their turn."""


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
        """Have content read from the source again; a scope that names nothing is nothing to do.

        Returns:
            How many URIs were in memory.
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
        """Have hits compared with the source every `RECHECK_S`, or no longer; costs a hit nothing."""
        self._memory.limit_ttl(RECHECK_S if rechecks else inf)
        self._validators.suspend(is_suspended=rechecks)

    def _expire(self, uri: str) -> None:
        self._memory.expire(uri)
        self._validators.forget(uri)
        for section in self._outlining.discard(uri):
            self._memory.expire(section)

    def _forget_shared(self, uri: str) -> list[str]:
        """Have a resource looked at and its shared values removed; returns its URIs, aliases too."""
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
