"""When a level that fails is left alone, and when it is tried again. Pure: the caller tells the time.

One failure opens it: the next read goes straight to the source. So do slow answers in a row, as a level that
always answers just within its deadline costs readers more than one that fails. Only probes in the background
close it again, so no reader pays for finding out whether the level is well.
"""

from __future__ import annotations

from math import inf

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 2.0
"""With a probe's own deadline it stays below the three seconds in which a healed level is used again."""

SLOW_S = 0.01
"""An answer that takes longer is a slow one; the usual takes well below a millisecond, and so does a disk."""

SLOW_S_PER_BYTE = 1e-8
"""And so much more for each byte, as over a link of 1 Gbit/s."""

SLOW_IN_A_ROW = 3
SLOW_FOR_S = 0.1
"""So many slow answers open it, when the last came so long after the first: one stall of this process is
nothing but that, however many calls were under way."""

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
        self._turned_s = -inf
        self._closed_s = inf
        self._slow = 0
        self._slow_since_s = inf

    def fail(self, now_s: float, asked_s: float = inf) -> bool:
        """Record a failure of a call or a probe.

        Args:
            now_s: Monotonic time.
            asked_s: When the call began. One that began before the breaker last turned says nothing of
                the level since.

        Returns:
            Whether it opened the breaker.
        """
        if asked_s < self._turned_s:
            return False
        opens, self.is_closed = self.is_closed, False
        if opens:
            self._turned_s = now_s
            if now_s - self._closed_s >= STEADY_S:
                self._pause_s = FIRST_PAUSE_S
        elif now_s < self.next_probe_s:
            # Of a probe, which is recorded once.
            return False
        self.next_probe_s = now_s + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return opens

    def answer(self, now_s: float, took_s: float, size_bytes: int) -> bool:
        """Take note of an answer that came in time.

        Args:
            now_s: Monotonic time.
            took_s: From the question to the answer, in seconds.
            size_bytes: Of both.

        Returns:
            Whether it opened the breaker.
        """
        if not is_slow(took_s, size_bytes):
            self._slow = 0
            return False
        if self._slow == 0:
            self._slow_since_s = now_s
        self._slow += 1
        lasts = self._slow >= SLOW_IN_A_ROW and now_s - self._slow_since_s >= SLOW_FOR_S
        return lasts and self.is_closed and self.fail(now_s)

    def heal(self, now_s: float) -> None:
        """Take note of a probe that went well."""
        self.is_closed = True
        self._turned_s = self._closed_s = now_s
        self._slow = 0


def is_slow(took_s: float, size_bytes: int) -> bool:
    """Tell whether an answer took longer than is worth waiting for."""
    return took_s > SLOW_S + size_bytes * SLOW_S_PER_BYTE
