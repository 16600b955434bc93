"""Whether messages were lost, or come again: each has a number, and Redis holds the last one. Pure.

Messages and the counter come over different connections, so one may be ahead of the other for a moment.
"""

from __future__ import annotations

from enum import Enum, auto

_UNDER_WAY = 16
"""Messages between a first subscription and the look at the counter, which follows at once."""


class Place(Enum):
    """Where a message stands among those before it."""

    NEXT = auto()
    AFTER_A_GAP = auto()
    """Messages before it were lost."""
    COVERED = auto()
    """It was counted as lost, and what it tells was made good, before it came."""
    REPLAY = auto()
    """It was heard before, or is older than this listener."""


class Generations:
    """The numbers that one listener has come across."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._covered_from = 0
        self._apart: tuple[int, int] | None = None

    @property
    def last(self) -> int:
        """The highest number that was heard, or made good."""
        return self._last or 0

    def begin(self, counter: int, *, is_news: bool) -> bool:
        """Take note of the counter as it was after subscribing.

        Args:
            counter: Its value.
            is_news: Whether anything was announced since this process began; counts the first time.

        Returns:
            Whether messages were lost since the listener last heard one.
        """
        is_first = self._last is None
        lost = is_news if is_first else counter != self._last
        # What was sent since the subscription is still to come, though a loss has covered it.
        self._cover(counter, since=max(0, counter - _UNDER_WAY) if is_first else self.last)
        return lost

    def hear(self, number: int) -> Place:
        """Take note of a message, and return where it stands."""
        last = self.last
        if number <= last:
            return Place.COVERED if number > self._covered_from else Place.REPLAY
        self._last = self._covered_from = number
        return Place.NEXT if number == last + 1 else Place.AFTER_A_GAP

    def compare(self, counter: int) -> bool:
        """Take note of the counter now and then.

        Returns:
            Whether messages were lost: the counter is elsewhere than the last message, and was the time
            before, and no message has come between. A counter that went back does not take `last` along:
            messages up to there could be sent again.
        """
        last = self.last
        apart = None if counter == last else (counter, last)
        lost = apart is not None and self._apart is not None and self._apart[1] == last
        if lost:
            self._cover(counter, since=last)
            apart = None
        self._apart = apart
        return lost

    def _cover(self, counter: int, since: int) -> None:
        self._covered_from = since
        self._last = max(counter, self.last)
        self._apart = None
