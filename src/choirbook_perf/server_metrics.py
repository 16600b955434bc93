"""A server's own latency histograms: their growth during a run, and what they say of a quantile. Pure."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence

from choirbook_perf.results import Result

LOADING_BUCKET = "mcp_resource_loading_latency_seconds_bucket"

_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Buckets = list[tuple[float, float]]
"""(upper bound in seconds, number of values up to it), in order; the last bound is infinite."""


def gains(result: Result) -> list[tuple[str, dict[str, str], Buckets]]:
    """Return the growth of the server's histogram by type and cache result: (name, labels, buckets)."""
    found: dict[tuple[str, str], dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for key, after in result.server_after.items():
        metric, labels = parse_sample(key)
        if metric == LOADING_BUCKET:
            of = (labels.get("resource_type", ""), labels.get("cache_result", ""))
            found[of][float(labels["le"])] += after - result.server_before.get(key, 0.0)
    return [
        (f"{type_}, {kind}", {"resource_type": type_, "cache_result": kind}, sorted(buckets.items()))
        for (type_, kind), buckets in sorted(found.items())
        if buckets and max(buckets.values()) > 0
    ]


def merged(all_buckets: Sequence[Buckets]) -> Buckets:
    """Add histograms with the same bounds."""
    sums: dict[float, float] = defaultdict(float)
    for buckets in all_buckets:
        for bound, count in buckets:
            sums[bound] += count
    return sorted(sums.items())


def parse_sample(key: str) -> tuple[str, dict[str, str]]:
    """Split a sample's key, in Prometheus text format, into its name and labels."""
    name, _, rest = key.partition("{")
    return name, dict(_LABEL.findall(rest))


def quantile_s(quantile: float, buckets: Buckets) -> float | None:
    """Estimate a quantile from cumulative buckets, like `histogram_quantile` of Prometheus."""
    rank = quantile * buckets[-1][1]
    start, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank and count > below:
            # Beyond the last finite bound it is only known that it is exceeded.
            return start if math.isinf(bound) else start + (bound - start) * (rank - below) / (count - below)
        start, below = bound, count
    return None


def bucket_s(rank: int, buckets: Buckets) -> tuple[float, float]:
    """Return the bounds of the bucket that holds the value of a rank, from 1."""
    start = 0.0
    for bound, count in buckets:
        if count >= rank:
            return start, bound
        start = bound
    return start, math.inf
