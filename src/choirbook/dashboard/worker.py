"""What one worker alone can tell: its slowest reads, who watches what, and what it holds in memory."""

from __future__ import annotations

from choirbook.dashboard.board import Held, Report
from choirbook.dashboard.slowest import Slowest
from choirbook.library.library import Library
from choirbook.mcp.streams import Streams

MAX_HELD = 500
"""Documents in memory that are told of; a page shows fewer."""

MAX_WATCHED = 5000
"""URIs for which is told how many streams watch them."""


class Worker:
    """This worker.

    Args:
        library: What it serves.
        streams: Its open streams.
        slowest: Its slowest reads.
    """

    def __init__(self, library: Library, streams: Streams, slowest: Slowest) -> None:
        self._library = library
        self._streams = streams
        self._slowest = slowest

    def report(self) -> Report:
        """Tell what the others cannot know."""
        held = [Held(*each) for each in self._library.memory.holdings(MAX_HELD)]
        watched = self._streams.watching(MAX_WATCHED)
        return Report(tuple(self._slowest.reads()), watched, tuple(held))
