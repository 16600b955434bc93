"""Load the bytes of a form from the nearest place that has them: the shared level, or the source.

The source decides which is asked first (`Source.is_near`, docs/adr/0007). Knows neither memory nor catalog;
called from a flight of the library, so once per key and process.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import NamedTuple

from choirbook.cache.epoch import InvalidationEpoch
from choirbook.cache.memory import CachedForms
from choirbook.documents.decoding import RECOVERABLE, recover
from choirbook.documents.rendering import Stamp, render
from choirbook.documents.sections.parser import outline_of
from choirbook.documents.sections.section_uris import cut, section_info
from choirbook.model import (
    Form,
    Representation,
    ResourceInfo,
    SectionInfo,
    ServedFrom,
    Source,
    Stage,
    StageName,
    stage_since,
)
from choirbook.redis.store import MAX_BODY_BYTES, LoadLease, SharedStore
from choirbook.runtime.threads import Threads


class LoadResult(NamedTuple):
    """Result of a load."""

    representation: Representation
    served_from: ServedFrom
    stages: tuple[Stage, ...] = ()
    """Stages of the load, in order."""
    raw: Representation | None = None
    """The complete document, if the representation holds only a part of it."""


class Loader:
    """Loads content that memory lacks.

    Args:
        source: Source of the documents.
        threads: Run blocking calls.
        stamp: Added to replies beside the documents.
        shared: Cache level shared by all workers and hosts; None for no such level.
        epoch: Epoch of the caches; a load that began in an earlier one is not offered to others.
    """

    def __init__(
        self,
        source: Source,
        threads: Threads,
        stamp: Stamp,
        shared: SharedStore | None,
        epoch: InvalidationEpoch,
    ) -> None:
        self._source = source
        self._threads = threads
        self._stamp = stamp
        self._shared = shared
        self._epoch = epoch

    async def load(self, info: ResourceInfo, form: Form) -> LoadResult:
        """Load one form.

        Raises:
            SourceError: See `Source.read`.
        """
        shared = self._shared_for(info)
        if shared is None:
            return await self._from_source(info, form)
        slot = shared.slot(info, form, self._source.portable(info.version))
        asked_s = monotonic()
        found = await shared.get(slot) or await shared.acquire_lease(slot)
        asked = stage_since(StageName.CACHE_SHARED, asked_s)
        if isinstance(found, Representation):
            return LoadResult(found, ServedFrom.SHARED, (asked,))
        loaded = await self._load_leased(shared, found, info, form)
        return loaded._replace(stages=(asked, *loaded.stages))

    def forget(self, infos: Iterable[ResourceInfo]) -> None:
        """Remove the shared values of some URIs, in all forms."""
        for info in infos:
            shared = self._shared_for(info)
            if shared is not None:
                portable = self._source.portable(info.version)
                shared.forget([shared.slot(info, form, portable).key for form in Form])

    def _shared_for(self, info: ResourceInfo) -> SharedStore | None:
        shared = self._shared
        if shared is None or self._source.is_near or not shared.is_usable or info.size > MAX_BODY_BYTES:
            return None
        # The place of a section is known from its document, which was read from the source just now.
        return None if isinstance(info, SectionInfo) else shared

    async def _load_leased(
        self, shared: SharedStore, lease: LoadLease, info: ResourceInfo, form: Form
    ) -> LoadResult:
        began = self._epoch.now
        loaded = None
        try:
            loaded = await self._from_source(info, form)
        finally:
            if loaded is None or self._epoch.is_over(began):
                shared.release(lease)
            else:
                shared.offer(lease, loaded.representation)
        return loaded

    async def derive(self, info: ResourceInfo, form: Form, cached: CachedForms) -> Representation | None:
        """Make a form from cached forms, asking neither the shared level nor the source.

        Args:
            info: Resource to make the form of, in whatever version is cached.
            form: Form to make.
            cached: Cached forms of the same URI, or of the document that contains the section.

        Returns:
            The form, or None if no cached form holds the complete document.

        Raises:
            SectionNotFound: The document has no such section in this version.
        """
        return await self._threads.run(self._recover_and_render, info, form, cached)

    async def _from_source(self, info: ResourceInfo, form: Form) -> LoadResult:
        return await self._threads.run(self._read_and_render, info, form, monotonic())

    def _read_and_render(self, info: ResourceInfo, form: Form, asked_s: float) -> LoadResult:
        queued = stage_since(StageName.QUEUE, asked_s)
        read_s = monotonic()
        content = self._source.read(info.path, info.version)
        read = stage_since(StageName.SOURCE_READ, read_s)
        render_s = monotonic()
        if isinstance(info, SectionInfo):
            assert info.section is not None, "a section is read only after it was found in its document"
            content = cut(content, info.section)
        raw = None if form in RECOVERABLE else render(info, content, Form.RAW, self._stamp)
        representation = render(info, content, form, self._stamp)
        rendered = stage_since(StageName.RENDER, render_s)
        return LoadResult(representation, ServedFrom.MISS, (queued, read, rendered), raw)

    def _recover_and_render(
        self, info: ResourceInfo, form: Form, cached: CachedForms
    ) -> Representation | None:
        content = recover(cached.info, cached.forms)
        if content is None:
            return None
        found = cached.info
        if isinstance(info, SectionInfo) and not isinstance(found, SectionInfo):
            found = section_info(found, info.wanted, outline_of(found.media_type, content.data))
            assert found.section is not None, "an outline contains the place of the section"
            content = cut(content, found.section)
        return render(found, content, form, self._stamp)
