"""Intervals by a circular block bootstrap over the seconds of a run. Pure, and the same on every call.

Requests of one second share their fate: a pause of the server or of the machine slows all of them, and
seconds beside each other resemble each other. Resampling requests would take them for independent and give
intervals that are far too narrow. So blocks of consecutive seconds are drawn (Politis and Romano, A
circular block-resampling procedure for stationary data, 1992). A run has few blocks: deviations are widened
as Student's t widens those of a normal variable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from choirbook_perf.intervals.ratio import student_quantile

DRAWS = 1_000
_MIN_BLOCKS = 4
"""Fewer blocks than these say next to nothing of their variance; a run of fewer seconds has blocks of one."""
_SEED = 20261128  # a result gives the same verdict wherever it is judged

Counts = Sequence[tuple[int, int]]
"""(microseconds, number) pairs of one second."""
_Array = NDArray[np.float64]


def block_s(seconds: int) -> int:
    """Return the length of a block: it grows with the run, and so does the number of blocks.

    The cube root, which is best for long series, gives bounds that hold for 80 % instead of 95 % of
    one-minute runs whose seconds have a correlation of 0.7.
    """
    return max(1, min(round(math.sqrt(seconds)), seconds // _MIN_BLOCKS))


def percentile_factors(seconds: Sequence[Counts], percent: float, confidence: float) -> tuple[float, float]:
    """Return the bounds of a percentile, as factors of its estimate: at most 1, and at least 1.

    Args:
        seconds: Latencies of each second, in order; empty ones too.
        percent: From 0 to 100.
        confidence: Of each bound, in per cent.
    """
    values = np.array(sorted({value for counts in seconds for value, _ in counts}))
    if not len(values):
        return 0.0, math.inf
    columns = {int(value): column for column, value in enumerate(values)}
    table = np.zeros((len(seconds), len(values)))
    for second, counts in enumerate(seconds):
        for value, count in counts:
            table[second, columns[value]] += count
    drawn = _percentiles(_times_drawn(len(seconds)) @ table, values, percent)
    estimate = float(_percentiles(table.sum(axis=0, keepdims=True), values, percent)[0])
    # Latencies are positive and skewed: their deviations are ratios. One under a microsecond is taken as one.
    low, high = _bounds(np.log(np.maximum(drawn, 1)), math.log(max(estimate, 1)), len(seconds), confidence)
    return math.exp(low), math.exp(high)


def mean_bounds(values: Sequence[float], confidence: float) -> tuple[float, float]:
    """Return the bounds of the mean of a value that each second has.

    Args:
        values: One value per second, in order; at least one.
        confidence: Of each bound, in per cent.
    """
    series = np.array(values, dtype=np.float64)
    mean = float(series.mean())
    low, high = _bounds(_times_drawn(len(series)) @ series / len(series), mean, len(series), confidence)
    return mean + low, mean + high


def _times_drawn(seconds: int) -> _Array:
    """Return how often each second is in each draw, as (draws, seconds)."""
    generator = np.random.default_rng(_SEED)
    length = block_s(seconds)
    starts = generator.integers(seconds, size=(DRAWS, math.ceil(seconds / length)))
    drawn = (starts[:, :, None] + np.arange(length)).reshape(DRAWS, -1)[:, :seconds] % seconds
    flat = drawn + seconds * np.arange(DRAWS)[:, None]
    return np.bincount(flat.ravel(), minlength=DRAWS * seconds).reshape(DRAWS, seconds).astype(np.float64)


def _percentiles(counts: _Array, values: NDArray[np.int64], percent: float) -> _Array:
    """Return the percentile of each row of counts, in microseconds; of a row without any, the longest."""
    reached = counts.cumsum(axis=1)
    ranks = np.maximum(1.0, np.ceil(reached[:, -1] * percent / 100))
    found = (reached < ranks[:, None]).sum(axis=1)
    chosen: _Array = values[np.minimum(found, len(values) - 1)].astype(np.float64)
    return chosen


def _bounds(drawn: _Array, estimate: float, seconds: int, confidence: float) -> tuple[float, float]:
    """Return the deviations of the bounds from the estimate, widened for few blocks."""
    low, high = np.percentile(drawn, (100 - confidence, confidence)) - estimate
    blocks = seconds / block_s(seconds)
    if blocks <= 1:
        return -math.inf, math.inf
    widening = student_quantile(confidence / 100, blocks - 1) / NormalDist().inv_cdf(confidence / 100)
    widening *= math.sqrt(blocks / (blocks - 1))
    return min(0.0, float(low)) * widening, max(0.0, float(high)) * widening
