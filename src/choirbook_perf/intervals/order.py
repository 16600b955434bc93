"""Intervals of percentiles from order statistics, exact for independent latencies. Pure.

The r-th smallest of n latencies exceeds the true quantile q exactly as often as a binomial variable (n, q)
is below r, whatever the distribution (David and Nagaraja, Order Statistics, 7.1).
"""

from __future__ import annotations

import math
from statistics import NormalDist

_EXACT_BELOW = 10_000
"""Number of requests from which the binomial distribution is approximated by a normal one."""
CONFIDENCE = 95.0


def requests_needed(percent: float, confidence: float = CONFIDENCE) -> int:
    """Return the number of requests at which one exceeds a percentile with the given confidence."""
    return math.ceil(math.log(1 - confidence / 100) / math.log(percent / 100))


def ranks(total: int, quantile: float, confidence: float = CONFIDENCE) -> tuple[int, int]:
    """Return the ranks, from 1, of the samples that bound a quantile; 0 if none does.

    Args:
        total: Number of samples.
        quantile: From 0 to 1.
        confidence: Of each bound, in per cent.
    """
    alpha = 1 - confidence / 100
    if total >= _EXACT_BELOW:
        spread = NormalDist().inv_cdf(1 - alpha) * math.sqrt(total * quantile * (1 - quantile))
        low, high = math.floor(total * quantile - spread), math.ceil(total * quantile + spread) + 1
        return max(0, low), high if high <= total else 0
    # cumulative is the probability that at most k of all latencies are at or below the quantile.
    low = high = 0
    cumulative = 0.0
    for k in range(total):
        cumulative += _binomial(total, k, quantile)
        if cumulative <= alpha:
            low = k + 1
        if cumulative >= 1 - alpha:
            high = k + 1
            break
    return low, high


def _binomial(total: int, k: int, quantile: float) -> float:
    log_choose = math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1)
    return math.exp(log_choose + k * math.log(quantile) + (total - k) * math.log1p(-quantile))
