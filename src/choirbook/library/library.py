"""The library as the surfaces see it: find, list, read.

`read` answers from memory without an await. The library sees no request and imports no surface, but the forms
that it reads are those that surfaces send (`model.Form`): bytes with their HTTP headers, and results of MCP
in both eras. Made once for each version, they spare every hit the rendering.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from time import monotonic
from typing import Any

from choirbook.cache.epoch import InvalidationEpoch
from choirbook.cache.etags import ETags
from choirbook.cache.lookup_durations import LookupDurations
from choirbook.cache.memory import MemoryCache
from choirbook.catalog.catalog import Catalog
from choirbook.documents.rendering import Stamp
from choirbook.documents.sections.outline import Outline
from choirbook.documents.sections.section_uris import section_info, split_section
from choirbook.errors import InvalidParams, InvalidUri, NotReady, RequestError, SectionNotFound
from choirbook.library.follower import Follower
from choirbook.library.invalidation import Invalidator
from choirbook.library.loader import Loader
from choirbook.library.outline_loader import OutlineLoader
from choirbook.library.reads import SETTLE_DEADLINE_S, PendingReads, unreadable
from choirbook.model import (
    Form,
    Invalidation,
    Reading,
    ResourceInfo,
    SectionInfo,
    Source,
    SourceChanged,
    SourceError,
    SourceGone,
    StageName,
    stage_since,
)
from choirbook.redis.store import SharedStore
from choirbook.runtime.threads import Threads
from choirbook.uri import canonical_uri

log = logging.getLogger("choirbook.library")

READY_DEADLINE_S = 10.0
"""Maximum wait of a request for the first scan, in seconds, before the client is asked to retry."""


class Library:
    """One library of documents, ready to be read.

    Args:
        source: Source of the documents.
        catalog: Catalog of the documents.
        follower: Keeps the catalog up to date.
        memory: In-process cache.
        threads: Run blocking calls.
        stamp: Added to replies beside the documents.
        shared: Cache level shared by all workers and hosts; None for no such level.
        max_waiting: Maximum number of concurrent reads from the source; further ones are rejected.
    """

    def __init__(
        self,
        source: Source,
        catalog: Catalog,
        follower: Follower,
        memory: MemoryCache,
        threads: Threads,
        stamp: Stamp,
        shared: SharedStore | None = None,
        *,
        max_waiting: int,
    ) -> None:
        self.catalog = catalog
        self.shared = shared
        self.memory = memory
        self.follower = follower
        self.stamp = stamp
        self.lookups = LookupDurations()
        """Durations of look-ups in memory."""
        epoch = InvalidationEpoch()
        loader = Loader(source, threads, stamp, shared, epoch)
        self._outline_loader = outline_loader = OutlineLoader(source, threads)
        self._etags = etags = ETags()
        caches = (memory, outline_loader, etags, epoch)
        self._invalidator = Invalidator(catalog, follower, loader, *caches)
        self._pending_reads = PendingReads(catalog, follower, loader, *caches, max_waiting=max_waiting)
        self._get = memory.get
        self._find = catalog.find
        self._note_hit = self.lookups.note_hit
        self._note_miss = self.lookups.note_miss

    @property
    def is_ready(self) -> bool:
        """Whether the first scan is complete."""
        return self.follower.ready.is_set()

    def start(self) -> None:
        """Start to follow the source, on the running event loop."""
        if self.shared is not None:
            self.shared.start()
        self.follower.start()

    async def stop(self) -> None:
        """End all tasks."""
        await self.follower.stop()
        await self._pending_reads.close()
        await self._outline_loader.close()
        if self.shared is not None:
            await self.shared.stop()

    async def wait_ready(self) -> None:
        """Wait for the first scan.

        Raises:
            NotReady: It takes longer than `READY_DEADLINE_S`.
        """
        try:
            async with asyncio.timeout(READY_DEADLINE_S):
                await self.follower.ready.wait()
        except TimeoutError:
            raise NotReady("The library is still being scanned. Try again in a few seconds.") from None

    def find(self, uri: str) -> ResourceInfo:
        """Return the info of a URI.

        Args:
            uri: As a client sent it.

        Raises:
            InvalidUri: No resource could have this URI.
            ResourceNotFound: No resource has it; `data["nearest"]` lists the most similar URIs.
            SectionNotFound: The document has no such section; until its outline is known, `read` raises this.
        """
        # A canonical URI, the usual case, is a key already.
        info = self._find(uri)
        if info is not None:
            return info
        address = split_section(uri)
        if address is not None:
            return self.section(self.find(address.uri), address.wanted)
        return self.catalog.locate(uri)

    def section(self, document: ResourceInfo, wanted: str) -> SectionInfo:
        """Return a section of a document, which can be read like any resource.

        Args:
            document: Info that `find` returned.
            wanted: A slug or a title.

        Raises:
            SectionNotFound: See `find`.
        """
        return section_info(document, wanted, self._outline_loader.known(document))

    async def outline(self, info: ResourceInfo) -> Outline:
        """Return the sections of a document: at once if they are cached, otherwise after parsing it.

        Raises:
            ResourceNotFound: The document is gone.
            ResourceUnreadable: It cannot be read.
        """
        deadline_s = monotonic() + SETTLE_DEADLINE_S
        while True:
            try:
                return await self._outline_loader.parsed(info)
            except (SourceChanged, SourceGone) as error:
                now = await self._pending_reads.settled(info, error, deadline_s)
                if now is None:
                    raise self._unreadable(info, error) from error
                info = now
            except SourceError as error:
                raise self._unreadable(info, error) from error

    def _unreadable(self, info: ResourceInfo, error: SourceError) -> RequestError:
        log.warning("cannot read %s: %s", info.uri, error)
        return unreadable(info, error)

    def document_of(self, uri: str) -> ResourceInfo | None:
        """Return the document that a URI names, itself or by one of its sections; None if there is none.

        Makes no suggestions, unlike `find`, as these look at every URI.

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

    def checked(self, scope: Invalidation) -> Invalidation:
        """Check the scope of an invalidation, and name its resource by the canonical URI.

        Args:
            scope: A resource by any of its URIs, those of a type, or all.

        Raises:
            InvalidUri: No resource could have the URI.
            ResourceNotFound: No resource has it.
            InvalidParams: There is no such type.
        """
        types = self.catalog.rules.types
        if scope.type is not None and scope.type not in types:
            raise InvalidParams(f"There is no type {scope.type[:32]!r}. The types are: {', '.join(types)}.")
        return scope if scope.uri is None else Invalidation(uri=self.catalog.locate(scope.uri).canonical_uri)

    async def forget(self, scope: Invalidation) -> int:
        """Invalidate content in this process only; `CacheControl.invalidate` does it in all workers.

        It is read from the source again, and stays available as last good content until then. A scope
        without content has no effect.

        Args:
            scope: See `checked`; its URI is canonical.

        Returns:
            The number of URIs that were in memory.
        """
        return await self._invalidator.forget(scope)

    def recheck(self, *, rechecks: bool) -> None:
        """Start or stop comparing hits with the source periodically; adds no cost to a hit."""
        self._invalidator.recheck(rechecks=rechecks)

    def etag(self, info: ResourceInfo, form: Form) -> str | None:
        """Return the validator of a form, if one was ever made for this version; touches no cache."""
        return self._etags.get(info, form)

    def read(self, info: ResourceInfo, form: Form) -> Reading | Coroutine[Any, Any, Reading]:
        """Read one form of a resource: at once from memory, otherwise by a coroutine to await.

        The coroutine raises:
            ResourceNotFound: The document is gone.
            ResourceUnreadable: It cannot be read, and there is no last good content.
            SectionNotFound: The document has no such section.
            Overloaded: The limit of concurrent reads is reached.
        """
        start_s = monotonic()
        reading = self._get(info, form, start_s)
        if reading is None:
            looked = stage_since(StageName.CACHE_MEMORY, start_s)
            self._note_miss(looked.duration_s)
            return self._pending_reads.read(info, form, looked)
        self._note_hit(monotonic() - start_s)
        return reading
