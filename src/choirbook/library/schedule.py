"""When a library is surveyed next. Pure: the caller tells the time.

That is every so often, sooner when there is reason to, and not all the time where a survey takes long.
"""

from __future__ import annotations

from math import inf

MAX_SURVEY_SHARE = 0.1
"""Part of the time that surveys may take: a library of a million files is surveyed less often."""

RETRY_S = 1.0
"""After a fault of the follower itself, which may well occur again."""


class Timetable:
    """Due at once, at first.

    Args:
        rescan_s: Pause between surveys that nothing asked for, in seconds.
    """

    def __init__(self, rescan_s: float) -> None:
        self._rescan_s = rescan_s
        self._wanted_s = inf
        self._next_s = 0.0
        self._earliest_s = 0.0

    @property
    def due_s(self) -> float:
        """Monotonic time of the next survey."""
        return min(self._next_s, max(self._earliest_s, self._wanted_s))

    def want(self) -> None:
        """Have a survey as soon as there may be one."""
        self._wanted_s = 0.0

    def want_at(self, at_s: float) -> None:
        """Have a survey as soon as there may be one from a moment of the monotonic clock."""
        self._wanted_s = min(self._wanted_s, at_s)

    def begin(self) -> None:
        """Take note that a survey begins: what is wanted from now on, it may have missed."""
        self._wanted_s = inf

    def end(self, now_s: float, cost_s: float) -> None:
        """Take note that a survey has ended.

        Args:
            now_s: Monotonic time.
            cost_s: What it took, in seconds; 0 where it failed.
        """
        pause_s = cost_s / MAX_SURVEY_SHARE
        self._earliest_s = now_s + pause_s
        self._next_s = now_s + max(self._rescan_s, pause_s)

    def retry(self, now_s: float) -> None:
        """Have a survey make up for a fault, after a moment."""
        self.end(now_s, 0.0)
        self._wanted_s = 0.0
        self._earliest_s = now_s + RETRY_S
