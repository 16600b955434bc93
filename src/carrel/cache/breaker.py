"""When a level that fails is left alone, and when it is tried again. Pure: the caller tells the time.

One failure opens it: the next read goes straight to the source. Only probes in the background close it
again, so no reader pays for finding out whether the level is well.
"""

from __future__ import annotations

from math import inf

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 2.0
"""With a probe's own deadline it stays below the three seconds in which a healed level is used again."""

STEADY_S = 5.0
"""A level that was well for so long is no longer taken for one that comes and goes."""


class Breaker:
    """Open at first: nobody has seen the level yet."""

    def __init__(self) -> None:
        self.is_closed = False
        """Whether the level may be used."""
        self.next_probe_s = -inf
        """Monotonic time from which an open breaker may be probed."""
        self._pause_s = FIRST_PAUSE_S
        self._closed_s = inf

    def fail(self, now_s: float) -> bool:
        """Take note of a failure, of a reader or a probe.

        Returns:
            Whether it opened the breaker.
        """
        opens, self.is_closed = self.is_closed, False
        if opens:
            if now_s - self._closed_s >= STEADY_S:
                self._pause_s = FIRST_PAUSE_S
        elif now_s < self.next_probe_s:
            # Of a reader who had asked before it opened.
            return False
        self.next_probe_s = now_s + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return opens

    def heal(self, now_s: float) -> None:
        """Take note of a probe that went well."""
        self.is_closed = True
        self._closed_s = now_s
