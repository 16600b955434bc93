"""Report of one worker: its slowest reads, its streams, and the documents in its memory."""

from __future__ import annotations

from choirbook.dashboard.board import Held, Report
from choirbook.dashboard.slowest import Slowest
from choirbook.library.library import Library
from choirbook.mcp.streams import Streams

MAX_HELD = 500
"""Maximum number of documents in memory to report; a page shows fewer."""

MAX_WATCHED = 5000
"""Maximum number of URIs for which watching streams are reported."""


class Worker:
    """This worker.

    Args:
        library: Library that it serves.
        streams: Open streams of the worker.
        slowest: Slowest reads of the worker.
    """

    def __init__(self, library: Library, streams: Streams, slowest: Slowest) -> None:
        self._library = library
        self._streams = streams
        self._slowest = slowest

    def report(self) -> Report:
        """Return the data that other workers cannot know."""
        held = [Held(*each) for each in self._library.memory.holdings(MAX_HELD)]
        watched = self._streams.watching(MAX_WATCHED)
        return Report(tuple(self._slowest.reads()), watched, tuple(held))
