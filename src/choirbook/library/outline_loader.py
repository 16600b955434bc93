"""Outlines of documents: from a cache, or by parsing the document once."""

from __future__ import annotations

from choirbook.cache.outline_cache import OutlineCache
from choirbook.cache.single_flight import SingleFlight
from choirbook.documents.sections.outline import Outline
from choirbook.documents.sections.parser import outline_of
from choirbook.documents.sections.section_uris import section_info, section_uri
from choirbook.model import ResourceInfo, SectionInfo, Source
from choirbook.runtime.threads import Threads


class OutlineLoader:
    """Finds and caches the outlines of a library's documents.

    Args:
        source: Source of the documents.
        threads: Read and parse the documents.
    """

    def __init__(self, source: Source, threads: Threads) -> None:
        self._source = source
        self._threads = threads
        self._outlines = OutlineCache()
        self._parses: SingleFlight[ResourceInfo, Outline] = SingleFlight()

    async def close(self) -> None:
        """End tasks under way."""
        await self._parses.close()

    def known(self, info: ResourceInfo) -> Outline | None:
        """Return the outline of exactly this version, if it is cached."""
        return self._outlines.get(info)

    async def parsed(self, info: ResourceInfo) -> Outline:
        """Return the outline of exactly this version.

        Raises:
            SourceError: See `Source.read`.
        """
        known = self._outlines.get(info)
        if known is not None:
            return known
        return await self._parses.join(info, lambda: self._parse(info))

    async def resolved(self, info: SectionInfo) -> SectionInfo:
        """Find a section in its document.

        Raises:
            SectionNotFound: The document has no such section.
            SourceError: See `Source.read`.
        """
        if info.section is not None:
            return info
        return section_info(info.document, info.wanted, await self.parsed(info.document))

    def discard(self, uri: str) -> list[str]:
        """Drop the outline of a document, and return the URIs of its former sections."""
        outline = self._outlines.discard(uri)
        return [] if outline is None else [section_uri(uri, section.slug) for section in outline.sections]

    async def _parse(self, info: ResourceInfo) -> Outline:
        outline = await self._threads.run(self._read_and_parse, info)
        self._outlines.put(info, outline)
        return outline

    def _read_and_parse(self, info: ResourceInfo) -> Outline:
        return outline_of(info.media_type, self._source.read(info.path, info.version).data)
