"""Durations of look-ups in memory, recorded by the library and taken by its observers.

Each is appended by a bound method of a deque, so a hit pays for no more. Used on the event loop only.
"""

from __future__ import annotations

from collections import deque

MAX_LOOKUPS = 4096
"""Maximum number of durations kept. Observers take them far earlier; without any, the oldest are dropped."""


class LookupDurations:
    """Look-ups of one library, in seconds."""

    __slots__ = ("_hits_s", "_misses_s", "note_hit", "note_miss")

    def __init__(self) -> None:
        self._hits_s: deque[float] = deque(maxlen=MAX_LOOKUPS)
        self._misses_s: deque[float] = deque(maxlen=MAX_LOOKUPS)
        self.note_hit = self._hits_s.append
        """Record the duration of a look-up that found its key."""
        self.note_miss = self._misses_s.append
        """Record the duration of a look-up that found nothing; the load is not included."""

    @property
    def latest_hit_s(self) -> float | None:
        """Return the duration recorded last, for `only_hit_since`; None if there is none."""
        return self._hits_s[-1] if self._hits_s else None

    def only_hit_since(self, latest_s: float | None) -> float | None:
        """Return the duration of the only hit since a moment; None unless there was exactly one.

        Each duration is an object of its own, so two of equal length are not confused.

        Args:
            latest_s: Value of `latest_hit_s` at that moment; `take` must not have been called since.
        """
        hits_s = self._hits_s
        before_s = hits_s[-2] if len(hits_s) > 1 else None
        return hits_s[-1] if hits_s and hits_s[-1] is not latest_s and before_s is latest_s else None

    def take(self) -> tuple[list[float], list[float]]:
        """Return the durations of hits and those of misses, and forget them."""
        taken = list(self._hits_s), list(self._misses_s)
        self._hits_s.clear()
        self._misses_s.clear()
        return taken
