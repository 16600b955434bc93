"""Report of one worker: its slowest reads, its streams, and the documents in its memory."""

from __future__ import annotations

import msgspec

from choirbook.dashboard.slowest import Slowest, SlowRead
from choirbook.library.library import Library
from choirbook.mcp.open_streams import OpenStreams

MAX_HELD = 500
"""Maximum number of documents in memory to report; a page shows fewer."""


class CachedDocument(msgspec.Struct, frozen=True, array_like=True):
    """A document that workers have in memory."""

    uri: str
    forms: int
    size_bytes: int


class DocumentUse(msgspec.Struct, frozen=True, array_like=True):
    """Use of a document by the workers."""

    streams: int
    """Number of streams that watch it."""
    workers: int
    """Number of workers that have it in memory."""
    forms: int
    """Number of forms in memory, over all these workers."""


class WorkerReport:
    """Report of this worker.

    Args:
        library: Library that it serves.
        streams: Open streams of the worker.
        slowest: Slowest reads of the worker.
    """

    def __init__(self, library: Library, streams: OpenStreams, slowest: Slowest) -> None:
        self._library = library
        self._streams = streams
        self._slowest = slowest

    def slowest(self) -> list[SlowRead]:
        """Return the slowest reads of the worker, the slowest first."""
        return self._slowest.reads()

    def held(self) -> list[CachedDocument]:
        """Return documents in memory, the last used first, at most `MAX_HELD`."""
        return [CachedDocument(*each) for each in self._library.memory.holdings(MAX_HELD)]

    def use(self, uri: str) -> DocumentUse:
        """Return the use of a document by the worker."""
        forms = sum(each.forms for each in self.held() if each.uri == uri)
        return DocumentUse(self._streams.watching(uri), int(forms > 0), forms)
