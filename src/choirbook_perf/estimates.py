"""Values of a run's statistics with their bounds. Pure.

Ratios have Clopper and Pearson's interval. A percentile has the wider of two: that of order statistics,
exact for independent latencies, which also says how many requests are needed, and that of a block bootstrap
over the seconds of the run, which sees that latencies of one second resemble each other. A rate has the
block bootstrap of its seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from choirbook_perf import server_metrics
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.intervals import blocks, order, ratio
from choirbook_perf.results import Result, Series
from choirbook_perf.slo import Threshold

_COUNTS = {"": "judged_counts", "service": "service_counts"}


class Estimate(NamedTuple):
    """A statistic of one run."""

    value: float | None
    """None if it was not measured."""
    low: float
    high: float
    """Infinite if the sample has no upper bound."""
    requests: int
    absence: str = ""
    """Why it was not measured."""
    is_exact: bool = False
    """Whether it is a count of what happened, without an interval."""


def estimate(result: Result, threshold: Threshold) -> Estimate:
    """Return what a run says of a threshold's statistic."""
    percent = threshold.percent
    if percent is None:
        series = [one for one in result.series if _has(one, dict(threshold.labels))]
        attempts = sum(count for one in series for _, count in one.counts)
        if not attempts:
            return _absent("no such request was made" if threshold.labels else "no request was made")
        failed = sum(one.failures for one in series)
        if threshold.statistic == "rate":
            return _rate(result, attempts - failed, threshold.confidence)
        if threshold.statistic == "hits.rate":
            return _hits(series, threshold.confidence)
        return _failures(failed, attempts, threshold)
    if threshold.source == "server":
        return _server_percentile(result, threshold, percent)
    return _percentile(result, threshold, percent)


def _absent(why: str) -> Estimate:
    return Estimate(None, -math.inf, math.inf, 0, why)


def _has(series: Series, labels: Mapping[str, str]) -> bool:
    return all(getattr(series, field) == value for field, value in labels.items())


def _failures(failed: int, attempts: int, threshold: Threshold) -> Estimate:
    if threshold.statistic == "failures.count" or threshold.operator == "==":
        value = float(failed) if threshold.statistic == "failures.count" else failed / attempts
        return Estimate(value, value, value, attempts, is_exact=True)
    low, high = ratio.clopper_pearson(failed, attempts, threshold.confidence)
    return Estimate(failed / attempts, low, high, attempts)


def _hits(series: list[Series], confidence: float) -> Estimate:
    known = {
        kind: sum(count for one in series if one.cache_result == kind for _, count in one.counts)
        for kind in ("hit", "miss")
    }
    total = sum(known.values())
    if not total:
        return _absent("the server reported no cache result")
    low, high = ratio.clopper_pearson(known["hit"], total, confidence)
    return Estimate(known["hit"] / total, low, high, total)


def _rate(result: Result, answered: int, confidence: float) -> Estimate:
    if result.duration_s <= 0:
        return _absent("the run was too short for a rate")
    value = answered / result.duration_s
    # The first and the last second are incomplete.
    per_second = [float(tick.requests) for tick in result.timeline if _is_measured(result, tick.second)][1:-1]
    if not sum(per_second):
        return Estimate(value, 0.0, math.inf, answered)
    mean = sum(per_second) / len(per_second)
    low, high = blocks.mean_bounds(per_second, confidence)
    return Estimate(value, max(0.0, value * low / mean), value * high / mean, answered)


def _is_measured(result: Result, second: int) -> bool:
    measured = [phase for phase in result.phases if phase.kind == "measured"]
    return not result.phases or any(
        phase.start_s <= second < phase.start_s + phase.duration_s for phase in measured
    )


def _percentile(result: Result, threshold: Threshold, percent: float) -> Estimate:
    labels = dict(threshold.labels)
    if threshold.cache_result:
        labels["cache_result"] = threshold.cache_result
    histogram = result.histogram(_COUNTS[threshold.source], **labels)
    requests = len(histogram)
    if not requests:
        return _absent(_why_no_latency(threshold))
    value = histogram.percentile_ms(percent)
    low, high = _order_bounds_ms(histogram, percent, threshold.confidence)
    seconds = _seconds(result, labels)
    if seconds:
        below, above = blocks.percentile_factors(seconds, percent, threshold.confidence)
        low, high = min(low, value * below), max(high, value * above)
    return Estimate(value, low, high, requests)


def _why_no_latency(threshold: Threshold) -> str:
    if threshold.source == "service":
        return "the load generator kept no service times"
    if threshold.cache_result:
        kind = {"hit": "hit", "miss": "miss"}[threshold.cache_result]
        return f"the server reported no {kind}"
    return "no such request was made" if threshold.labels else "no request was made"


def _order_bounds_ms(histogram: LatencyHistogram, percent: float, confidence: float) -> tuple[float, float]:
    """Return the bounds of a percentile if latencies were independent; the upper may be infinite."""
    total = len(histogram)
    low_rank, high_rank = order.ranks(total, percent / 100, confidence)
    low = histogram.percentile_ms(100 * (low_rank - 0.5) / total) if low_rank else 0.0
    return low, histogram.percentile_ms(100 * (high_rank - 0.5) / total) if high_rank else math.inf


def _seconds(result: Result, labels: Mapping[str, str]) -> list[list[tuple[int, int]]]:
    """Return the latencies of each second, from the first to the last; empty if none were kept."""
    cells: dict[int, LatencyHistogram] = {}
    for one in result.by_second:
        if all(getattr(one, field) == value for field, value in labels.items()):
            for second, counts in one.seconds:
                cells.setdefault(second, LatencyHistogram()).add(LatencyHistogram(counts))
    if not cells:
        return []
    every = range(min(cells), max(cells) + 1)
    return [cells[second].counts() if second in cells else [] for second in every]


def _server_percentile(result: Result, threshold: Threshold, percent: float) -> Estimate:
    labels = dict(threshold.labels)
    if threshold.cache_result:
        labels["cache_result"] = threshold.cache_result
    found = [
        buckets
        for _, of, buckets in server_metrics.gains(result)
        if all(of[field] == value for field, value in labels.items())
    ]
    if not found:
        return _absent(f"the server's /metrics shows no such {server_metrics.LOADING_BUCKET}")
    buckets = server_metrics.merged(found)
    total = round(buckets[-1][1])
    value_s = server_metrics.quantile_s(percent / 100, buckets)
    low_rank, high_rank = order.ranks(total, percent / 100, threshold.confidence)
    low_s = server_metrics.bucket_s(low_rank, buckets)[0] if low_rank else 0.0
    high_s = server_metrics.bucket_s(high_rank, buckets)[1] if high_rank else math.inf
    # A value is above the lower bound of its bucket and at most the upper one. Rounding keeps 0.001 s from
    # becoming more than 1 ms.
    low_ms = math.nextafter(round(low_s * 1000, 9), math.inf) if low_s else 0.0
    return Estimate(None if value_s is None else value_s * 1000, low_ms, round(high_s * 1000, 9), total)
