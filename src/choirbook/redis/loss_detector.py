"""Detection of lost and replayed messages: each has a number, and Redis holds the last one. Pure.

Messages and the counter come over different connections, so one may be ahead of the other for a moment.
"""

from __future__ import annotations

from enum import Enum, auto

_UNDER_WAY = 16
"""Maximum number of messages between a first subscription and the reading of the counter, which follows at
once."""


class Position(Enum):
    """Position of a message relative to previous ones."""

    NEXT = auto()
    AFTER_A_GAP = auto()
    """Messages before it were lost."""
    COVERED = auto()
    """It was counted as lost, and its effects were made up for, before it arrived."""
    REPLAY = auto()
    """It was received before, or is older than this listener."""


class LossDetector:
    """Message numbers seen by one listener."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._covered_from = 0
        self._apart: tuple[int, int] | None = None

    @property
    def last(self) -> int:
        """Highest number that was received, or made up for."""
        return self._last or 0

    def begin(self, counter: int, *, is_news: bool) -> bool:
        """Record the counter as read after subscribing.

        Args:
            counter: Value of the counter.
            is_news: Whether anything was announced since this process began; matters the first time only.

        Returns:
            Whether messages were lost since the listener last received one.
        """
        is_first = self._last is None
        lost = is_news if is_first else counter != self._last
        # Messages sent since the subscription are still to come, even if they were counted as lost.
        self._cover(counter, since=max(0, counter - _UNDER_WAY) if is_first else self.last)
        return lost

    def record(self, number: int) -> Position:
        """Record a message, and return its position."""
        last = self.last
        if number <= last:
            return Position.COVERED if number > self._covered_from else Position.REPLAY
        self._last = self._covered_from = number
        return Position.NEXT if number == last + 1 else Position.AFTER_A_GAP

    def compare(self, counter: int) -> bool:
        """Compare the counter with the messages received; called periodically.

        Returns:
            Whether messages were lost: the counter differs from the last message, did so the time before, and
            no message has arrived in between. A counter that went back does not reset `last`: messages up to
            there could be replayed.
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
