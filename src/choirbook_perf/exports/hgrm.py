"""Response times as the percentile distribution of HdrHistogram, `.hgrm`, which its plotter draws. Pure.

The steps are those of HdrHistogram's PercentileIterator with five ticks per half distance: each time the
distance to 100 % halves, five more lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.results import Result

TICKS = 5
_HEAD = f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}\n\n"


def export(result: Result) -> str:
    """Return the distribution of all requests, in milliseconds."""
    latencies = result.histogram()
    lines = "".join(_line(*step) for step in steps(latencies))
    return f"{_HEAD}{lines}{_foot(latencies)}"


def steps(latencies: LatencyHistogram) -> Iterator[tuple[float, float, int]]:
    """Yield (latency in ms, percentile from 0 to 100, number of requests up to it)."""
    total, seen, level = len(latencies), 0, 0.0
    for value_us, count in latencies.counts():
        seen += count
        while level <= 100 * seen / total:
            yield value_us / 1000, level, seen
            if seen == total:
                break
            level += 100 / (TICKS * 2 ** (math.floor(math.log2(100 / (100 - level))) + 1))
    if total:
        yield latencies.max_ms(), 100.0, total


def _line(value_ms: float, percentile: float, seen: int) -> str:
    distance = f"{1 / (1 - percentile / 100):14.2f}" if percentile < 100 else f"{'inf':>14}"  # noqa: PLR2004
    return f"{value_ms:12.3f} {percentile / 100:1.12f} {seen:10d} {distance}\n"


def _foot(latencies: LatencyHistogram) -> str:
    total = len(latencies)
    mean = latencies.mean_ms() if total else 0.0
    squares = sum(count * (us / 1000 - mean) ** 2 for us, count in latencies.counts())
    deviation = math.sqrt(squares / total) if total else 0.0
    longest = latencies.max_ms() if total else 0.0
    return (
        f"#[Mean    = {mean:12.3f}, StdDeviation   = {deviation:12.3f}]\n"
        f"#[Max     = {longest:12.3f}, Total count    = {total:12d}]\n"
    )
