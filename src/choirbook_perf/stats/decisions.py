"""Outcomes of a comparison of several metrics: slower, faster, same or unknown. Pure.

A metric has an outcome only if all of its interval agrees: `slower` or `faster` if the interval is beyond the
band in which differences do not matter, `same` if it is within. An interval that reaches over an edge of the
band is `unknown`, with the number of further pairs (or runs) that would suffice.

With several metrics each has its own chance of a false alarm. Holm's procedure keeps the chance of any at
`ALPHA`: the metric with the smallest p-value has to pass at ALPHA / metrics, the next one at ALPHA / (metrics
- 1), and so on to the first that fails; all others are then judged at that level.

Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6,
1979.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import msgspec

from choirbook_perf.stats.shifts import Shifts

ALPHA = 0.01
"""Chance of any false alarm among all metrics of a comparison; intervals of one metric are at 99 %."""
POWER = 0.95
"""Chance with which a difference of the detectable size is found."""
MAX_MORE = 9_999
"""Maximum number of further pairs that is printed: more is no plan."""

SLOWER, FASTER, SAME, UNKNOWN = "slower", "faster", "same", "unknown"

_Z_POWER = NormalDist().inv_cdf(POWER)


class Limits(NamedTuple):
    """Sizes of differences, as ratios: 0.1 is 10 %."""

    band: float = 0.03
    """Differences up to this size do not matter."""
    margin: float = 0.10
    """Slowdown that has to be found."""


class LogRatios(NamedTuple):
    """Logarithms of new/old of one metric."""

    metric: str
    shifts: Shifts
    size: int
    """Number of independent values behind it: pairs, or runs of the smaller set."""
    fewest: Callable[[float], int]
    """Returns the number of them from which on an interval has ends at a level."""
    widening: float = 1.0
    """Factor for the width of the interval, for values that depend on each other."""
    is_more_better: bool = False


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of one metric. Changes are ratios: 0.1 is 10 % more."""

    metric: str
    change: float | None
    low: float | None
    """Bounds of the change at the level that the number of metrics demands; None if there are none."""
    high: float | None
    outcome: str
    """`slower`, `faster`, `same` or `unknown`."""
    detectable: float | None
    """Smallest slowdown that would be called `slower` with 95 % chance; None if none would."""
    more: int
    """How many more pairs (or runs of each set) would suffice; 0 if these do. At most `MAX_MORE`."""
    size: int
    """Number of pairs, or of runs of the smaller set."""


def decide(samples: Sequence[LogRatios], limits: Limits, alpha: float = ALPHA) -> list[Finding]:
    """Return the outcome of each metric, in the order of the samples."""
    chances = {sample.metric: _chance(sample, limits.band) for sample in samples}
    found: dict[str, Finding] = {}
    level, is_open = alpha, True
    for rank, sample in enumerate(sorted(samples, key=lambda each: chances[each.metric])):
        if is_open:
            level = alpha / (len(samples) - rank)
            is_open = chances[sample.metric] <= level
        found[sample.metric] = _finding(sample, limits, level)
    return [found[sample.metric] for sample in samples]


def _chance(sample: LogRatios, band: float) -> float:
    """Return the two-sided p-value of a difference beyond the band."""
    shifts, estimate = sample.shifts, sample.shifts.estimate()

    def narrowed(limit: float) -> float:
        # A wider interval reaches the limit where the plain one reaches a nearer value.
        return estimate + (limit - estimate) / sample.widening

    above = shifts.p_above(narrowed(math.log1p(band)))
    below = shifts.p_below(narrowed(-math.log1p(band)))
    return min(1.0, 2 * min(above, below))


def interval(sample: LogRatios, alpha: float) -> tuple[float, float]:
    """Return the bounds of the logarithm of new/old, widened as the sample demands."""
    estimate = sample.shifts.estimate()
    low, high = sample.shifts.interval(alpha)
    return estimate + (low - estimate) * sample.widening, estimate + (high - estimate) * sample.widening


def _finding(sample: LogRatios, limits: Limits, level: float) -> Finding:
    estimate = sample.shifts.estimate()
    low, high = interval(sample, level)
    edge = math.log1p(limits.band)
    if low > edge:
        outcome = FASTER if sample.is_more_better else SLOWER
    elif high < -edge:
        outcome = SLOWER if sample.is_more_better else FASTER
    else:
        outcome = SAME if -edge <= low and high <= edge else UNKNOWN
    reach = _reach(high - low, level)
    return Finding(
        metric=sample.metric,
        change=_ratio(estimate),
        low=_ratio(low),
        high=_ratio(high),
        outcome=outcome,
        detectable=_ratio(edge + reach),
        more=_more(sample, reach, limits, level) if outcome == UNKNOWN else 0,
        size=sample.size,
    )


def _reach(width: float, level: float) -> float:
    """Return how far beyond the band a true shift has to be for its interval to be beyond it with `POWER`.

    The interval reaches half its width to either side of the estimate, which itself scatters around the truth
    with the standard error that the width stands for.
    """
    half = width / 2
    return half + _Z_POWER * half / NormalDist().inv_cdf(1 - level / 2)


def _more(sample: LogRatios, reach: float, limits: Limits, level: float) -> int:
    """Return how many more values would suffice, as widths shrink with the root of their number."""
    if math.isinf(reach) or math.isnan(reach):
        return max(1, sample.fewest(level) - sample.size)
    edge, estimate = math.log1p(limits.band), abs(sample.shifts.estimate())
    found = math.log1p(limits.margin) - edge
    # To find the margin; and to tell the estimate from the edge, should it be the truth.
    half = reach / (1 + _Z_POWER / NormalDist().inv_cdf(1 - level / 2))
    factors = [reach / found if found > 0 else math.inf, _over(half, abs(estimate - edge))]
    factor = max(1.0, *factors)
    if factor**2 * sample.size > MAX_MORE:
        return MAX_MORE
    return max(1, math.ceil(sample.size * factor**2) - sample.size)


def _over(one: float, other: float) -> float:
    return one / other if other else math.inf


def _ratio(logarithm: float) -> float | None:
    return None if math.isinf(logarithm) or math.isnan(logarithm) else math.expm1(logarithm)
