"""The library as the surfaces see it: find, list, read.

`read` answers from memory without an await. Knows neither HTTP nor MCP.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from time import monotonic
from typing import Any

from carrel.cache.flights import Flights
from carrel.cache.memory import MemoryCache
from carrel.catalog import Catalog
from carrel.errors import NotReady, ResourceUnreadable
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
)
from carrel.rendering import Stamp, render
from carrel.threads import Threads

log = logging.getLogger("carrel.library")

READY_DEADLINE_S = 10.0
"""How long a request waits for the first survey before it is told to come again."""

SETTLE_DEADLINE_S = 2.0
"""How long a read waits for a file that is being written; a writer that takes longer streams."""

MAX_LOOKUPS = 4096
"""Durations of look-ups that wait to be collected. Observers do so far earlier; nobody has to."""

_Key = tuple[ResourceInfo, Form]


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
        self.hit_lookups_s: deque[float] = deque(maxlen=MAX_LOOKUPS)
        """What look-ups in the cache took, in seconds, until somebody takes them out: those that found it."""
        self.missed_lookups_s: deque[float] = deque(maxlen=MAX_LOOKUPS)
        """And those that did not; the load is not included."""
        self._source = source
        self._threads = threads
        self._get = memory.get
        self._find = catalog.find
        self._note_hit = self.hit_lookups_s.append
        self._flights: Flights[_Key, Representation] = Flights()
        self._etags: dict[str, tuple[ResourceInfo, dict[Form, str]]] = {}
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
        return info if info is not None else self.catalog.locate(uri)

    def etag(self, info: ResourceInfo, form: Form) -> str | None:
        """Return the validator of a form, when it was ever made for this version; touches no cache."""
        known = self._etags.get(info.uri)
        return known[1].get(form) if known is not None and known[0] == info else None

    def read(self, info: ResourceInfo, form: Form) -> Reading | Coroutine[Any, Any, Reading]:
        """Read one form of a resource: at once from memory, else by a coroutine to await.

        The coroutine raises:
            ResourceNotFound: The document is gone.
            ResourceUnreadable: It cannot be read, and there is no last good content.
        """
        start_s = monotonic()
        reading = self._get(info, form, start_s)
        if reading is None:
            self.missed_lookups_s.append(monotonic() - start_s)
            return self._load(info, form)
        self._note_hit(monotonic() - start_s)
        return reading

    async def _load(self, info: ResourceInfo, form: Form) -> Reading:
        uri = info.uri
        deadline_s = monotonic() + SETTLE_DEADLINE_S
        while True:
            try:
                representation = await self._fly(info, form)
                return Reading(info, representation, ServedFrom.MISS)
            except (SourceChanged, SourceGone) as error:
                remaining_s = deadline_s - monotonic()
                settled = remaining_s > 0 and await self.freshness.settled(info.path, remaining_s)
                now = self.catalog.find(uri)
                if now is None:
                    raise self.catalog.not_found(uri) from error
                if not settled or now.version == info.version:
                    return self._fall_back(now, form, error)
                info = now
            except SourceError as error:
                return self._fall_back(info, form, error)

    async def _fly(self, info: ResourceInfo, form: Form) -> Representation:
        key = (info, form)
        return await self._flights.join(key, lambda: self._lead(info, form))

    async def _lead(self, info: ResourceInfo, form: Form) -> Representation:
        # Between this waiter's look-up and its flight another flight may have landed.
        held = self.memory.get(info, form, monotonic())
        if held is not None:
            return held.representation
        representation = await self._threads.run(self._read_and_render, info, form)
        self.memory.put(info, form, representation)
        self._remember_etag(info, form, representation.etag)
        return representation

    def _read_and_render(self, info: ResourceInfo, form: Form) -> Representation:
        return render(info, self._source.read(info.path, info.version), form, self.stamp)

    def _fall_back(self, info: ResourceInfo, form: Form, error: SourceError) -> Reading:
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
        return Reading(info, last_good, ServedFrom.STALE)

    def _remember_etag(self, info: ResourceInfo, form: Form, etag: str) -> None:
        known = self._etags.get(info.uri)
        if known is None or known[0] != info:
            known = self._etags[info.uri] = (info, {})
        known[1][form] = etag

    def _on_change(self, change: Change) -> None:
        for uri in change.removed:
            self.memory.discard(uri)
            self._etags.pop(uri, None)
