"""Shift between two samples: Hodges-Lehmann estimate, exact interval, exact one-sided p-values. Pure.

Paired differences use Wilcoxon's signed-rank statistic, independent samples the rank-sum statistic of Mann
and Whitney. Both count how many "points" are above a value: the averages of all pairs of differences (Walsh),
or the differences of all pairs of values. The distribution of that count is known exactly if nothing
differs, so order statistics of the points bound the shift without assuming a shape of the noise. SciPy has
the tests, but not the intervals.

Source: Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd edition, 3.1-3.3 and 4.1-4.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]


class Shifts(NamedTuple):
    """All that a sample says of a shift."""

    points: _Floats
    """Candidates for the shift, in order."""
    cumulative: _Floats
    """At k, the probability that at most k of the points are above a shift that is the true one."""

    def estimate(self) -> float:
        """Return the Hodges-Lehmann estimate; NaN without data."""
        return float(np.median(self.points)) if len(self.points) else math.nan

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the interval that misses the true shift with probability `alpha` at most.

        Its ends are infinite if there are too few data for this level.
        """
        cut = int(np.searchsorted(self.cumulative, alpha / 2, side="right"))
        if cut == 0:
            return -math.inf, math.inf
        return float(self.points[cut - 1]), float(self.points[-cut])

    def p_above(self, limit: float) -> float:
        """Return the p-value of "the shift is at most `limit`": small if it is larger."""
        at_or_below = int(np.searchsorted(self.points, limit, side="right"))
        return float(self.cumulative[min(at_or_below, len(self.cumulative) - 1)])

    def p_below(self, limit: float) -> float:
        """Return the p-value of "the shift is at least `limit`": small if it is less."""
        at_or_above = len(self.points) - int(np.searchsorted(self.points, limit, side="left"))
        return float(self.cumulative[min(at_or_above, len(self.cumulative) - 1)])


def paired(differences: Sequence[float]) -> Shifts:
    """Return what paired differences say of their centre (Wilcoxon, signed ranks)."""
    values = np.asarray(differences, dtype=np.float64)
    rows, columns = np.triu_indices(len(values))
    points = np.sort((values[rows] + values[columns]) / 2)
    return Shifts(points, _signed_rank(len(values)))


def unpaired(old: Sequence[float], new: Sequence[float]) -> Shifts:
    """Return what two independent samples say of the shift from the old to the new one (Mann-Whitney)."""
    before, after = np.asarray(old, dtype=np.float64), np.asarray(new, dtype=np.float64)
    points = np.sort((after[:, None] - before[None, :]).ravel())
    return Shifts(points, _rank_sum(len(before), len(after)))


def pairs_needed(alpha: float) -> int:
    """Return the number of pairs from which on an interval has ends."""
    return math.ceil(1 - math.log2(alpha))


def runs_needed(alpha: float) -> int:
    """Return the number of values in each of two samples from which on an interval has ends."""
    count = 1
    while 2 / math.comb(2 * count, count) > alpha:
        count += 1
    return count


@lru_cache
def _signed_rank(count: int) -> _Floats:
    """Return the cumulative distribution of the signed-rank statistic of so many differences."""
    chances = np.ones(1)
    for rank in range(1, count + 1):
        # Each rank is in the sum or not, with equal chances.
        grown = np.zeros(len(chances) + rank)
        grown[: len(chances)] += chances / 2
        grown[rank:] += chances / 2
        chances = grown
    return np.cumsum(chances)


@lru_cache
def _rank_sum(old: int, new: int) -> _Floats:
    """Return the cumulative distribution of the Mann-Whitney statistic of two samples.

    The number of orders with each value of the statistic is a coefficient of a Gaussian binomial: the product
    of (1 - q^(old+i)) / (1 - q^i) for i from 1 to `new`.
    """
    top = old * new
    counts = [1] + [0] * top
    for i in range(1, new + 1):
        for power in range(top, old + i - 1, -1):
            counts[power] -= counts[power - old - i]
        for power in range(i, top + 1):
            counts[power] += counts[power - i]
    orders = math.comb(old + new, new)
    running = np.cumsum(np.array(counts, dtype=object))
    return np.array([float(total / orders) for total in running], dtype=np.float64)
