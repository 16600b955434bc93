"""The library as the surfaces see it: find, list, read.

`read` answers from memory without an await. Knows neither HTTP nor MCP.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from math import inf
from time import monotonic
from typing import Any

from carrel.cache.flights import Flights
from carrel.cache.memory import MemoryCache
from carrel.cache.outlines import Outlines
from carrel.cache.shared import SharedLevel
from carrel.catalog import Catalog
from carrel.errors import (
    InvalidParams,
    InvalidUri,
    NotReady,
    Overloaded,
    ResourceUnreadable,
    SectionNotFound,
)
from carrel.freshness import Freshness
from carrel.loading import Landed, Loading
from carrel.model import (
    Change,
    Form,
    Invalidation,
    Reading,
    ResourceInfo,
    SectionInfo,
    ServedFrom,
    Source,
    SourceChanged,
    SourceError,
    SourceGone,
    Stage,
    StageName,
    stage_since,
)
from carrel.rendering import Stamp
from carrel.sections.addressing import section_info, section_uri, split_section
from carrel.sections.outline import Outline
from carrel.sections.parsing import outline_of
from carrel.threads import Threads
from carrel.uri import canonical_uri

log = logging.getLogger("carrel.library")

READY_DEADLINE_S = 10.0
"""How long a request waits for the first survey before it is told to come again."""

SETTLE_DEADLINE_S = 2.0
"""How long a read waits for a file that is being written; a writer that takes longer streams."""

MAX_LOOKUPS = 4096
"""Durations of look-ups that wait to be collected. Observers do so far earlier; nobody has to."""

RECHECK_S = 4.0
"""Age from which a hit is compared with the source while nobody tells of changes: content is older than the
five seconds that Carrel promises at no time."""

_FORGET_AT_ONCE = 500
"""URIs that are forgotten before others have their turn."""

_Key = tuple[ResourceInfo, Form, int]
"""A reader who comes after an invalidation waits for no load that began before."""


class Library:
    """One root of content, ready to be read.

    Args:
        source: Where documents come from.
        catalog: What there is.
        freshness: What keeps the catalog true.
        memory: The in-process cache.
        threads: Where blocking calls run.
        stamp: What goes into replies beside the documents.
        shared: The level that all workers and hosts share; None for none.
        max_waiting: Reads that may wait for the source at once; further ones are turned away.
    """

    def __init__(
        self,
        source: Source,
        catalog: Catalog,
        freshness: Freshness,
        memory: MemoryCache,
        threads: Threads,
        stamp: Stamp,
        shared: SharedLevel | None = None,
        *,
        max_waiting: int,
    ) -> None:
        self.catalog = catalog
        self.shared = shared
        self.memory = memory
        self.freshness = freshness
        self.stamp = stamp
        self.hit_lookups_s: deque[float] = deque(maxlen=MAX_LOOKUPS)
        """What look-ups in the cache took, in seconds, until somebody takes them out: those that found it."""
        self.missed_lookups_s: deque[float] = deque(maxlen=MAX_LOOKUPS)
        """And those that did not; the load is not included."""
        self._source = source
        self._loading = Loading(source, threads, stamp, shared)
        self._threads = threads
        self._get = memory.get
        self._find = catalog.find
        self._note_hit = self.hit_lookups_s.append
        self._flights: Flights[_Key, Landed] = Flights()
        self._outlines = Outlines()
        self._parses: Flights[ResourceInfo, Outline] = Flights()
        self._etags: dict[str, tuple[ResourceInfo, dict[Form, str]]] = {}
        self._max_waiting = max_waiting
        self._waiting = 0
        self._rechecks = False
        self._listeners: list[Callable[[Invalidation], None]] = []
        catalog.listen(self._on_change)

    @property
    def is_ready(self) -> bool:
        """Whether the first survey is done."""
        return self.freshness.ready.is_set()

    def start(self) -> None:
        """Begin to follow the source, on the running event loop."""
        if self.shared is not None:
            self.shared.start()
        self.freshness.start()

    async def stop(self) -> None:
        """End all tasks."""
        await self.freshness.stop()
        await self._flights.close()
        await self._parses.close()
        if self.shared is not None:
            await self.shared.stop()

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
            SectionNotFound: The document has no such section; until its outline is known, `read` says so.
        """
        # A canonical URI, the usual case, is a key as it stands.
        info = self._find(uri)
        if info is not None:
            return info
        address = split_section(uri)
        if address is not None:
            return self.section(self.find(address.uri), address.wanted)
        return self.catalog.locate(uri)

    def section(self, document: ResourceInfo, wanted: str) -> SectionInfo:
        """Return a section of a document, to be read as any resource.

        Args:
            document: What `find` returned.
            wanted: A slug or a title.

        Raises:
            SectionNotFound: See `find`.
        """
        return section_info(document, wanted, self._outlines.get(document))

    async def outline(self, info: ResourceInfo) -> Outline:
        """Return the sections of a document: at once when they are kept, else after parsing it.

        Raises:
            ResourceNotFound: The document is gone.
            ResourceUnreadable: It cannot be read.
        """
        deadline_s = monotonic() + SETTLE_DEADLINE_S
        while True:
            try:
                return await self._parsed(info)
            except SourceError as error:
                remaining_s = deadline_s - monotonic()
                may_settle = isinstance(error, SourceChanged | SourceGone) and remaining_s > 0
                settled = may_settle and await self.freshness.settled(info.path, remaining_s)
                now = self.catalog.find(info.uri)
                if now is None:
                    raise self.catalog.not_found(info.uri) from error
                if not settled or now.version == info.version:
                    log.warning("cannot read %s: %s", info.uri, error)
                    raise _unreadable(info) from error
                info = now

    def document_of(self, uri: str) -> ResourceInfo | None:
        """Return the document that a URI names, or a section of which it names; None when there is none.

        Does without the suggestions of `find`, which look at every URI there is.

        Args:
            uri: As a client sent it.
        """
        try:
            info = self._find(uri)
            address = split_section(uri) if info is None else None
            if address is None:
                return info or self._find(canonical_uri(uri))
            document = self.document_of(address.uri)
            if document is not None:
                self.section(document, address.wanted)
        except (InvalidUri, SectionNotFound):
            return None
        return document

    async def invalidate(self, scope: Invalidation) -> int:
        """Have content read from the source again, here and by every other worker, of all hosts with Redis.

        What is forgotten stays as the last good content until the source has answered.

        Args:
            scope: A resource by any of its URIs, those of a type, or all.

        Returns:
            How many URIs were in this process's memory.

        Raises:
            InvalidUri: No resource could have the URI.
            ResourceNotFound: No resource has it.
            InvalidParams: There is no such type.
        """
        types = self.catalog.rules.types
        if scope.type is not None and scope.type not in types:
            raise InvalidParams(f"There is no type {scope.type[:32]!r}. The types are: {', '.join(types)}.")
        if scope.uri is not None:
            scope = Invalidation(uri=self.catalog.locate(scope.uri).canonical_uri)
        forgotten = await self.forget(scope)
        for listener in self._listeners:
            listener(scope)
        return forgotten

    def on_invalidation(self, listener: Callable[[Invalidation], None]) -> None:
        """Have a function called with each scope that was invalidated here."""
        self._listeners.append(listener)

    async def forget(self, scope: Invalidation) -> int:
        """Do what `invalidate` does, in this process only; a scope that names nothing is nothing to do.

        Returns:
            How many URIs were in memory.
        """
        self._loading.invalidations += 1
        if scope.uri is not None:
            uris = self._forget_shared(scope.uri)
        else:
            held = [info for info in self.memory.infos() if scope.type in {None, info.type}]
            uris = [info.uri for info in held]
            self._etags = {
                uri: known
                for uri, known in self._etags.items()
                if scope.type is not None and known[0].type != scope.type
            }
            self.freshness.survey_soon()
        for number, uri in enumerate(uris, start=1):
            self._forget_uri(uri)
            if number % _FORGET_AT_ONCE == 0:
                await asyncio.sleep(0)
        return len(uris)

    def _forget_uri(self, uri: str) -> None:
        self.memory.expire(uri)
        self._etags.pop(uri, None)
        outline = self._outlines.discard(uri)
        for section in outline.sections if outline is not None else ():
            self.memory.expire(section_uri(uri, section.slug))

    def _forget_shared(self, uri: str) -> list[str]:
        """Have a resource looked at and its shared values removed; returns its URIs, aliases too."""
        info = self.catalog.find(uri)
        if info is None:
            return []
        self.freshness.look_soon({info.path})
        claim = self.catalog.rules.claim(info.path)
        uris = [uri] if claim is None else [claim.uri, *claim.aliases]
        named = [named for each in uris if (named := self.catalog.find(each)) and named.path == info.path]
        self._loading.forget(named)
        return [each.uri for each in named]

    def recheck(self, *, rechecks: bool) -> None:
        """Have hits compared with the source every `RECHECK_S`, or no longer; costs a hit nothing."""
        self._rechecks = rechecks
        self.memory.limit_ttl(RECHECK_S if rechecks else inf)
        if rechecks:
            self._etags.clear()

    def etag(self, info: ResourceInfo, form: Form) -> str | None:
        """Return the validator of a form, when it was ever made for this version; touches no cache."""
        known = self._etags.get(info.uri)
        return known[1].get(form) if known is not None and known[0] == info else None

    def read(self, info: ResourceInfo, form: Form) -> Reading | Coroutine[Any, Any, Reading]:
        """Read one form of a resource: at once from memory, else by a coroutine to await.

        The coroutine raises:
            ResourceNotFound: The document is gone.
            ResourceUnreadable: It cannot be read, and there is no last good content.
            SectionNotFound: The document has no such section.
            Overloaded: As many reads wait as may.
        """
        start_s = monotonic()
        reading = self._get(info, form, start_s)
        if reading is None:
            looked = stage_since(StageName.CACHE_MEMORY, start_s)
            self.missed_lookups_s.append(looked.duration_s)
            return self._load(info, form, looked)
        self._note_hit(monotonic() - start_s)
        return reading

    async def _load(self, info: ResourceInfo, form: Form, looked: Stage) -> Reading:
        if self._waiting >= self._max_waiting:
            raise Overloaded(
                "So many reads wait for documents already that this one was not begun. Try again."
            )
        self._waiting += 1
        try:
            return await self._load_now(info, form, [looked])
        finally:
            self._waiting -= 1

    async def _load_now(self, info: ResourceInfo, form: Form, stages: list[Stage]) -> Reading:
        deadline_s = monotonic() + SETTLE_DEADLINE_S
        while True:
            try:
                if isinstance(info, SectionInfo) and info.section is None:
                    began_s = monotonic()
                    info = await self._resolved(info)
                    stages.append(stage_since(StageName.OUTLINE, began_s))
                began_s = monotonic()
                landed = await self._fly(info, form)
                return Reading(info, landed.representation, landed.served_from, (*stages, *landed.stages))
            except (SourceChanged, SourceGone) as error:
                stages.append(stage_since(StageName.SOURCE_READ, began_s))
                remaining_s = deadline_s - (began_s := monotonic())
                settled = remaining_s > 0 and await self.freshness.settled(info.path, remaining_s)
                stages.append(stage_since(StageName.SETTLE, began_s))
                now = self._present(info)
                if now is None:
                    raise self.catalog.not_found(info.uri) from error
                if not settled or now.version == info.version:
                    return self._fall_back(now, form, error, stages)
                info = now
            except SourceError as error:
                stages.append(stage_since(StageName.SOURCE_READ, began_s))
                return self._fall_back(info, form, error, stages)

    async def _fly(self, info: ResourceInfo, form: Form) -> Landed:
        key = (info, form, self._loading.invalidations)
        return await self._flights.join(key, lambda: self._lead(info, form))

    async def _lead(self, info: ResourceInfo, form: Form) -> Landed:
        # Between this waiter's look-up and its flight another flight may have landed.
        held = self.memory.get(info, form, monotonic())
        if held is not None:
            return Landed(held.representation, ServedFrom.MISS)
        began = self._loading.invalidations
        landed = await self._loading.load(info, form)
        if began != self._loading.invalidations:
            # These waiters asked before what they get was called into question; nobody after them gets it.
            return landed
        self.memory.put(info, form, landed.representation)
        if not isinstance(info, SectionInfo):
            # Sections come and go with every edit, and nothing says which: theirs would be kept for ever.
            self._remember_etag(info, form, landed.representation.etag)
        return landed

    async def _parsed(self, info: ResourceInfo) -> Outline:
        known = self._outlines.get(info)
        if known is not None:
            return known
        return await self._parses.join(info, lambda: self._parse(info))

    async def _parse(self, info: ResourceInfo) -> Outline:
        outline = await self._threads.run(self._read_and_parse, info)
        self._outlines.put(info, outline)
        return outline

    def _read_and_parse(self, info: ResourceInfo) -> Outline:
        return outline_of(info.media_type, self._source.read(info.path, info.version).data)

    async def _resolved(self, info: SectionInfo) -> SectionInfo:
        """Have it known where a section is.

        Raises:
            SectionNotFound: Its document has no such section.
        """
        if info.section is not None:
            return info
        return section_info(info.document, info.wanted, await self._parsed(info.document))

    def _present(self, info: ResourceInfo) -> ResourceInfo | None:
        """Return what the URI of an info names now."""
        if not isinstance(info, SectionInfo):
            return self.catalog.find(info.uri)
        document = self.catalog.find(info.document.uri)
        return None if document is None else section_info(document, info.wanted, None)

    def _fall_back(self, info: ResourceInfo, form: Form, error: SourceError, stages: list[Stage]) -> Reading:
        """Serve the last good content, or raise.

        Raises:
            ResourceUnreadable: There is none that is young enough.
        """
        log.warning("cannot read %s: %s", info.uri, error)
        last_good = self.memory.last_good(info.uri, form)
        if last_good is None:
            raise _unreadable(info) from error
        return Reading(info, last_good, ServedFrom.STALE, tuple(stages))

    def _remember_etag(self, info: ResourceInfo, form: Form, etag: str) -> None:
        if self._rechecks:
            # A validator would answer for content that was not looked at.
            return
        known = self._etags.get(info.uri)
        if known is None or known[0] != info:
            known = self._etags[info.uri] = (info, {})
        known[1][form] = etag

    def _on_change(self, change: Change) -> None:
        for uri in change.removed:
            self.memory.discard(uri)
            self._etags.pop(uri, None)
            outline = self._outlines.discard(uri)
            for section in outline.sections if outline is not None else ():
                self.memory.discard(section_uri(uri, section.slug))


def _unreadable(info: ResourceInfo) -> ResourceUnreadable:
    return ResourceUnreadable(
        f"The document of {info.uri} cannot be read at the moment. "
        "The server's log says why; try again later.",
        {"uri": info.uri},
    )
