"""Quantiles of a histogram, of which only the counts by bucket are known. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf


def quantile_s(cumulative: Sequence[tuple[float, float]], share: float) -> float | None:
    """Estimate a quantile, in seconds, as `histogram_quantile` of Prometheus does.

    See https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile.

    Args:
        cumulative: Bounds in seconds, each with how many values do not exceed it, rising; the last bound is
            infinite, and its values are all.
        share: From 0 to 1.

    Returns:
        None where nothing was counted; the greatest finite bound where the quantile lies beyond it.
    """
    total = cumulative[-1][1] if cumulative else 0.0
    if not total:
        return None
    rank = share * total
    lower_s = below = 0.0
    for bound_s, up_to in cumulative:
        if isinf(bound_s):
            break
        if up_to >= rank and up_to > below:
            return lower_s + (bound_s - lower_s) * (rank - below) / (up_to - below)
        lower_s, below = bound_s, up_to
    return lower_s
