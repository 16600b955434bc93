"""Quantiles of a histogram, estimated from the counts by bucket. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf


def quantile_s(cumulative: Sequence[tuple[float, float]], quota: float) -> float | None:
    """Estimate a quantile, in seconds, like `histogram_quantile` of Prometheus.

    See https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile.

    Args:
        cumulative: Increasing bounds in seconds, each with the number of values up to it; the last bound is
            infinite, and its number is the total.
        quota: From 0 to 1.

    Returns:
        None if nothing was counted; the greatest finite bound if the quantile lies beyond it.
    """
    total = cumulative[-1][1] if cumulative else 0.0
    if not total:
        return None
    rank = quota * total
    lower_s = below = 0.0
    for bound_s, up_to in cumulative:
        if isinf(bound_s):
            break
        if up_to >= rank and up_to > below:
            return lower_s + (bound_s - lower_s) * (rank - below) / (up_to - below)
        lower_s, below = bound_s, up_to
    return lower_s
