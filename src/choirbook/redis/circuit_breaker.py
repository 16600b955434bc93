"""Circuit breaker of a cache level. Pure: the caller passes the time.

One failure opens it: the next read goes straight to the source. So do several slow answers in a row, as a
level that always answers just within its deadline costs readers more than one that fails. Only background
probes close it again, so no reader pays for testing the level.
"""

from __future__ import annotations

from math import inf

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 1.0
"""Longest pause between probes, in seconds. Twice this and the deadlines of two probes are below the three
seconds in which a recovered level must be used again: a stall of this process may open the breaker once more
after the first successful probe."""

SLOW_S = 0.01
"""Time in seconds above which an answer is slow; the usual takes far less than a millisecond, and so does a
disk."""

SLOW_S_PER_BYTE = 1e-8
"""Additional time allowed for each byte, in seconds, as over a link of 1 Gbit/s."""

SLOW_IN_A_ROW = 3
SLOW_FOR_S = 0.1
"""The breaker opens after `SLOW_IN_A_ROW` slow answers, if the last comes at least this many seconds after
the first: a single stall of this process must not open it, however many calls were under way."""

STEADY_S = 5.0
"""Time in seconds after which a working level no longer counts as flapping."""


class CircuitBreaker:
    """Circuit breaker, initially open: the state of the level is unknown."""

    def __init__(self) -> None:
        self.is_closed = False
        """Whether the level may be used."""
        self.next_probe_s = -inf
        """Monotonic time from which an open breaker may be probed."""
        self._pause_s = FIRST_PAUSE_S
        self._turned_s = -inf
        self._slow = 0
        self._slow_since_s = inf

    def fail(self, now_s: float, asked_s: float = inf) -> bool:
        """Record a failure of a call or a probe.

        Args:
            now_s: Monotonic time.
            asked_s: Start of the call. A call that began before the breaker last changed does not affect
                the present state.

        Returns:
            Whether it opened the breaker.
        """
        if asked_s < self._turned_s:
            return False
        opens, self.is_closed = self.is_closed, False
        if opens:
            if now_s - self._turned_s >= STEADY_S:
                self._pause_s = FIRST_PAUSE_S
            self._turned_s = now_s
        elif now_s < self.next_probe_s:
            # The failure of a probe, which is recorded once.
            return False
        self.next_probe_s = now_s + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return opens

    def answer(self, now_s: float, took_s: float, size_bytes: int) -> bool:
        """Record an answer that came in time.

        Args:
            now_s: Monotonic time.
            took_s: Time from request to answer, in seconds.
            size_bytes: Total size of both.

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

    def close(self, now_s: float) -> None:
        """Record a successful probe."""
        self.is_closed = True
        self._turned_s = now_s
        self._slow = 0


def is_slow(took_s: float, size_bytes: int) -> bool:
    """Return whether an answer took longer than is worth waiting for."""
    return took_s > SLOW_S + size_bytes * SLOW_S_PER_BYTE
