"""The library as the surfaces see it: find, list, read.

`read` answers from memory without an await. Knows neither HTTP nor MCP.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from time import monotonic
from typing import Any

from carrel.cache.flights import Flights
from carrel.cache.memory import MemoryCache
from carrel.catalog import Catalog
from carrel.errors import NotReady, ResourceNotFound, ResourceUnreadable
from carrel.freshness import Freshness
from carrel.model import (
    Change,
    Form,
    Reading,
    Representation,
    ResourceInfo,
    ServedFrom,
    Source,
    SourceChanged,
    SourceError,
    SourceGone,
    Version,
)
from carrel.rendering import Stamp, render
from carrel.threads import Threads
from carrel.uri import canonical_uri

log = logging.getLogger("carrel.library")

READY_DEADLINE_S = 10.0
"""How long a request waits for the first survey before it is told to come again."""

SETTLE_DEADLINE_S = 2.0
"""How long a read waits for a file that is being written; a writer that takes longer streams."""

_Key = tuple[str, Version, Form]


class Library:
    """One root of content, ready to be read.

    Args:
        source: Where documents come from.
        catalog: What there is.
        freshness: What keeps the catalog true.
        memory: The in-process cache.
        threads: Where blocking calls run.
        stamp: What goes into replies beside the documents.
    """

    def __init__(
        self,
        source: Source,
        catalog: Catalog,
        freshness: Freshness,
        memory: MemoryCache,
        threads: Threads,
        stamp: Stamp,
    ) -> None:
        self.catalog = catalog
        self.memory = memory
        self.freshness = freshness
        self.stamp = stamp
        self._source = source
        self._threads = threads
        self._get = memory.get
        self._find = catalog.find
        self._flights: Flights[_Key, Representation] = Flights()
        self._etags: dict[str, tuple[Version, dict[Form, str]]] = {}
        catalog.listen(self._on_change)

    @property
    def is_ready(self) -> bool:
        """Whether the first survey is done."""
        return self.freshness.ready.is_set()

    def start(self) -> None:
        """Begin to follow the source, on the running event loop."""
        self.freshness.start()

    async def stop(self) -> None:
        """End all tasks."""
        await self.freshness.stop()
        await self._flights.close()

    async def wait_ready(self) -> None:
        """Wait for the first survey.

        Raises:
            NotReady: It takes longer than `READY_DEADLINE_S`.
        """
        try:
            async with asyncio.timeout(READY_DEADLINE_S):
                await self.freshness.ready.wait()
        except TimeoutError:
            raise NotReady("The library is still being surveyed. Try again in a few seconds.") from None

    def find(self, uri: str) -> ResourceInfo:
        """Return what a URI names.

        Args:
            uri: As a client sent it.

        Raises:
            InvalidUri: No resource could have it.
            ResourceNotFound: No resource has it; `data["nearest"]` lists those most like it.
        """
        # A canonical URI, the usual case, is a key as it stands.
        info = self._find(uri)
        if info is not None:
            return info
        canonical = canonical_uri(uri)
        info = self.catalog.find(canonical)
        if info is not None:
            return info
        raise self.not_found(canonical)

    def not_found(self, uri: str) -> ResourceNotFound:
        """Make the error for a canonical URI that names nothing."""
        nearest = self.catalog.nearest(uri)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        return ResourceNotFound(f"Resource not found: {uri}.{hint}", {"uri": uri, "nearest": list(nearest)})

    def etag(self, info: ResourceInfo, form: Form) -> str | None:
        """Return the validator of a form, when it was ever made for this version; touches no cache."""
        known = self._etags.get(info.uri)
        return known[1].get(form) if known is not None and known[0] == info.version else None

    def read(self, info: ResourceInfo, form: Form) -> Reading | Coroutine[Any, Any, Reading]:
        """Read one form of a resource: at once from memory, else by a coroutine to await.

        The coroutine raises:
            ResourceNotFound: The document is gone.
            ResourceUnreadable: It cannot be read, and there is no last good content.
        """
        start_s = monotonic()
        representation = self._get(info.uri, info.version, form, start_s)
        lookup_s = monotonic() - start_s
        if representation is None:
            return self._load(info, form, lookup_s)
        return Reading(info, representation, ServedFrom.HIT, lookup_s)

    async def _load(self, info: ResourceInfo, form: Form, lookup_s: float) -> Reading:
        uri = info.uri
        deadline_s = monotonic() + SETTLE_DEADLINE_S
        while True:
            try:
                representation = await self._fly(info, form)
                return Reading(info, representation, ServedFrom.MISS, lookup_s)
            except (SourceChanged, SourceGone) as error:
                remaining_s = deadline_s - monotonic()
                settled = remaining_s > 0 and await self.freshness.settled(info.path, remaining_s)
                now = self.catalog.find(uri)
                if now is None:
                    raise self.not_found(uri) from error
                if not settled or now.version == info.version:
                    return self._fall_back(now, form, lookup_s, error)
                info = now
            except SourceError as error:
                return self._fall_back(info, form, lookup_s, error)

    async def _fly(self, info: ResourceInfo, form: Form) -> Representation:
        key = (info.uri, info.version, form)
        return await self._flights.join(key, lambda: self._lead(info, form))

    async def _lead(self, info: ResourceInfo, form: Form) -> Representation:
        # Between this waiter's look-up and its flight another flight may have landed.
        held = self.memory.get(info.uri, info.version, form, monotonic())
        if held is not None:
            return held
        representation = await self._threads.run(self._read_and_render, info, form)
        self.memory.put(info.uri, info.version, form, representation)
        self._remember_etag(info, form, representation.etag)
        return representation

    def _read_and_render(self, info: ResourceInfo, form: Form) -> Representation:
        return render(info, self._source.read(info.path, info.version), form, self.stamp)

    def _fall_back(self, info: ResourceInfo, form: Form, lookup_s: float, error: SourceError) -> Reading:
        """Serve the last good content, or raise.

        Raises:
            ResourceUnreadable: There is none that is young enough.
        """
        log.warning("cannot read %s: %s", info.uri, error)
        last_good = self.memory.last_good(info.uri, form)
        if last_good is None:
            raise ResourceUnreadable(
                f"The document of {info.uri} cannot be read at the moment. "
                "The server's log says why; try again later.",
                {"uri": info.uri},
            ) from error
        return Reading(info, last_good, ServedFrom.STALE, lookup_s)

    def _remember_etag(self, info: ResourceInfo, form: Form, etag: str) -> None:
        known = self._etags.get(info.uri)
        if known is None or known[0] != info.version:
            known = self._etags[info.uri] = (info.version, {})
        known[1][form] = etag

    def _on_change(self, change: Change) -> None:
        for uri in change.removed:
            self.memory.discard(uri)
            self._etags.pop(uri, None)
