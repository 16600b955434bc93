"""Latencies at three significant digits: the resolution of an HdrHistogram, in plain JSON.

Pure. Locust rounds to two digits and to whole milliseconds above 100, which hides the latencies of a fast
server.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

SIGNIFICANT_DIGITS = 3


class LatencyHistogram:
    """Counts of latencies by microseconds, rounded to three significant digits."""

    def __init__(self, counts: Iterable[tuple[int, int]] = ()) -> None:
        self._counts: dict[int, int] = {}
        for value_us, count in counts:
            self._counts[value_us] = self._counts.get(value_us, 0) + count

    def __len__(self) -> int:
        """Return the number of latencies recorded."""
        return sum(self._counts.values())

    def record(self, latency_s: float) -> None:
        """Record one latency, in seconds."""
        value_us = rounded_us(latency_s)
        self._counts[value_us] = self._counts.get(value_us, 0) + 1

    def add(self, other: LatencyHistogram) -> None:
        """Add all latencies of another histogram."""
        for value_us, count in other._counts.items():
            self._counts[value_us] = self._counts.get(value_us, 0) + count

    def percentile_ms(self, percent: float) -> float:
        """Return the latency that `percent` of all do not exceed, in milliseconds; NaN if there are none."""
        total = len(self)
        if total == 0:
            return math.nan
        rank = max(1, math.ceil(total * percent / 100))
        seen = 0
        for value_us, count in sorted(self._counts.items()):
            seen += count
            if seen >= rank:
                return value_us / 1000
        raise AssertionError("unreachable")

    def mean_ms(self) -> float:
        """Return the mean in milliseconds; NaN if there are no latencies."""
        total = len(self)
        return (
            sum(value * count for value, count in self._counts.items()) / total / 1000 if total else math.nan
        )

    def max_ms(self) -> float:
        """Return the longest latency in milliseconds; NaN if there are none."""
        return max(self._counts) / 1000 if self._counts else math.nan

    def counts(self) -> list[tuple[int, int]]:
        """Return (microseconds, count) pairs in order; the constructor accepts them."""
        return sorted(self._counts.items())


def rounded_us(latency_s: float) -> int:
    """Round a latency to whole microseconds at three significant digits."""
    value_us = round(latency_s * 1e6)
    if value_us < 10**SIGNIFICANT_DIGITS:
        return max(0, value_us)
    scale, limit = 10, 10 ** (SIGNIFICANT_DIGITS + 1)
    while value_us >= limit:
        scale, limit = scale * 10, limit * 10
    return round(value_us / scale) * scale


def corrected(counts: Iterable[tuple[int, int]], interval_us: float) -> list[tuple[int, int]]:
    """Add the requests that a client would have made while it waited for an answer.

    Args:
        counts: Latencies of a closed loop.
        interval_us: Usual time from one request of a client to its next.

    Returns:
        For a latency of at least two intervals also that latency less one interval, less two, and so on, as
        `recordValueWithExpectedInterval` of HdrHistogram does against coordinated omission.
    """
    added: dict[int, int] = {}
    for value_us, count in counts:
        added[value_us] = added.get(value_us, 0) + count
        missing_us = value_us - interval_us
        while missing_us >= interval_us > 0:
            rounded = rounded_us(missing_us / 1e6)
            added[rounded] = added.get(rounded, 0) + count
            missing_us -= interval_us
    return sorted(added.items())
