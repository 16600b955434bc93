"""Schedule of scans. Pure: the caller passes the time.

Scans are periodic, earlier if there is reason to, and limited to a share of the time if they take long.
"""

from __future__ import annotations

from math import inf

MAX_SCAN_SHARE = 0.1
"""Maximum share of time spent on scans: a library of a million files is scanned less often."""

RETRY_S = 1.0
"""Delay in seconds after an error of the follower itself, which may well occur again."""


class ScanSchedule:
    """Time of the next scan; initially due at once.

    Args:
        rescan_s: Pause between scans that nothing requested, in seconds.
    """

    def __init__(self, rescan_s: float) -> None:
        self._rescan_s = rescan_s
        self._wanted_s = inf
        self._next_s = 0.0
        self._earliest_s = 0.0

    @property
    def due_s(self) -> float:
        """Monotonic time of the next scan."""
        return min(self._next_s, max(self._earliest_s, self._wanted_s))

    def want(self) -> None:
        """Request a scan as soon as one is allowed."""
        self._wanted_s = 0.0

    def want_at(self, at_s: float) -> None:
        """Request a scan as soon as one is allowed, but not before a monotonic time."""
        self._wanted_s = min(self._wanted_s, at_s)

    def begin(self) -> None:
        """Record that a scan begins: it may miss whatever is requested from now on."""
        self._wanted_s = inf

    def end(self, now_s: float, cost_s: float) -> None:
        """Record that a scan has ended.

        Args:
            now_s: Monotonic time.
            cost_s: Duration of the scan, in seconds; 0 if it failed.
        """
        pause_s = cost_s / MAX_SCAN_SHARE
        self._earliest_s = now_s + pause_s
        self._next_s = now_s + max(self._rescan_s, pause_s)

    def retry(self, now_s: float) -> None:
        """Request a scan after an error, with a delay."""
        self.end(now_s, 0.0)
        self._wanted_s = 0.0
        self._earliest_s = now_s + RETRY_S
