"""Verdict of a run against its thresholds: passed, failed or inconclusive. Pure.

A percentile of a sample is not the percentile of the population. Order statistics give the error: the r-th
smallest of n latencies exceeds the true quantile q exactly as often as a binomial variable (n, q) is below r,
whatever the distribution (David and Nagaraja, Order Statistics, 7.1). A row passes if all of the interval at
95 % is within the limit, fails if none of it is, and is inconclusive otherwise. With fewer than 59 requests
the interval of p95 has no upper end, with fewer than 299 that of p99.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist

import msgspec

from choirbook_perf.errors import GateFailed, Inconclusive
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.results import Row, Series
from choirbook_perf.slo import Threshold

_ALPHA = 0.05
_EXACT_BELOW = 10_000
"""Number of requests from which the binomial distribution is approximated by a normal one."""


def judge(
    series: Sequence[Series],
    duration_s: float,
    thresholds: Iterable[Threshold],
    *,
    is_saturated: bool = False,
) -> list[Row]:
    """Compare a run with thresholds.

    Args:
        series: Measured latencies.
        duration_s: Duration of the run, in seconds.
        thresholds: In the order of the rows.
        is_saturated: Whether the load generator was short of CPU, so that it may have caused long latencies.
    """
    rows = [row for threshold in thresholds if (row := _row(series, duration_s, threshold)) is not None]
    if is_saturated:
        return [msgspec.structs.replace(row, outcome="inconclusive", reason=_SATURATED) for row in rows]
    return rows


def check(rows: Sequence[Row]) -> None:
    """Raise the error for the verdict of a run, if it is not a pass.

    Raises:
        GateFailed: A row failed.
        Inconclusive: None failed, but a row is inconclusive.
    """
    failed = [row for row in rows if row.outcome == "fail"]
    if failed:
        raise GateFailed("Failed: " + "; ".join(_told(row) for row in failed) + ".")
    unsure = [row for row in rows if row.outcome == "inconclusive"]
    if unsure:
        names = "; ".join(f"{row.metric} ({row.reason})" for row in unsure)
        raise Inconclusive(
            f"Too short or too noisy to decide: {names}. Run for longer, or on a quieter machine."
        )


def _told(row: Row) -> str:
    verb = "is below" if row.metric == "requests_per_s" else "is above"
    return f"{row.metric} {row.measured:g} {verb} {row.limit:g} {row.unit}"


def _row(series: Sequence[Series], duration_s: float, threshold: Threshold) -> Row | None:
    if threshold.metric == "failure_ratio":
        return _failure_ratio(series, threshold)
    if threshold.metric == "requests_per_s":
        return _throughput(series, duration_s, threshold)
    row = _latency(series, threshold)
    if row.requests == 0 and not threshold.is_required:
        return None
    return row


_SATURATED = "the load generator is not valid"


def _failure_ratio(series: Sequence[Series], threshold: Threshold) -> Row:
    failed = sum(each.failures for each in series)
    total = sum(count for each in series for _, count in each.counts)
    if total == 0:
        return _made(threshold, None, 0, "inconclusive", "no request was made")
    ratio = failed / total
    return _made(threshold, ratio, total, "pass" if ratio <= threshold.limit else "fail")


def _throughput(series: Sequence[Series], duration_s: float, threshold: Threshold) -> Row:
    total = sum(count for each in series for _, count in each.counts)
    total -= sum(each.failures for each in series)
    if total == 0 or duration_s <= 0:
        return _made(threshold, None, total, "inconclusive", "no request was answered")
    rate = total / duration_s
    return _made(threshold, rate, total, "pass" if rate >= threshold.limit else "fail")


def _latency(series: Sequence[Series], threshold: Threshold) -> Row:
    percent = threshold.percent
    assert percent is not None
    histogram = LatencyHistogram()
    for each in series:
        if threshold.cache_result in {"", each.cache_result}:
            histogram.add(LatencyHistogram(each.judged_counts))
    requests = len(histogram)
    if requests == 0:
        kind = (
            f"the server reported no {threshold.cache_result}"
            if threshold.cache_result
            else "none was answered"
        )
        return _made(threshold, None, 0, "inconclusive", kind)
    measured = histogram.percentile_ms(percent)
    low_ms, high_ms = interval_ms(histogram, percent)
    if high_ms <= threshold.limit:
        return _made(threshold, measured, requests, "pass")
    if low_ms > threshold.limit:
        return _made(threshold, measured, requests, "fail")
    if math.isinf(high_ms):
        reason = f"{requests} requests, {requests_needed(percent)} are needed"
    else:
        reason = f"between {low_ms:g} and {high_ms:g} ms at 95 %"
    return _made(threshold, measured, requests, "inconclusive", reason)


def _made(threshold: Threshold, measured: float | None, requests: int, outcome: str, reason: str = "") -> Row:
    return Row(
        metric=threshold.metric,
        limit=threshold.limit,
        measured=None if measured is None else round(measured, 6),
        unit=threshold.unit,
        requests=requests,
        outcome=outcome,
        reason=reason,
    )


def requests_needed(percent: float) -> int:
    """Return the number of requests at which one exceeds a percentile with 95 % confidence."""
    return math.ceil(math.log(_ALPHA) / math.log(percent / 100))


def interval_ms(histogram: LatencyHistogram, percent: float) -> tuple[float, float]:
    """Return bounds of a percentile, each at 95 % confidence; the upper may be infinite."""
    total = len(histogram)

    def at(rank: int) -> float:
        return histogram.percentile_ms(100 * (rank - 0.5) / total)

    low_rank, high_rank = ranks(total, percent / 100)
    return (at(low_rank) if low_rank else 0.0), (at(high_rank) if high_rank else math.inf)


def ranks(total: int, quantile: float) -> tuple[int, int]:
    """Return the ranks, from 1, of the samples that bound a quantile at 95 % each; 0 if none does."""
    if total >= _EXACT_BELOW:
        spread = NormalDist().inv_cdf(1 - _ALPHA) * math.sqrt(total * quantile * (1 - quantile))
        low, high = math.floor(total * quantile - spread), math.ceil(total * quantile + spread) + 1
        return max(0, low), high if high <= total else 0
    # cumulative[k] is the probability that at most k of all latencies are at or below the quantile.
    low = high = 0
    cumulative = 0.0
    for k in range(total):
        cumulative += _binomial(total, k, quantile)
        if cumulative <= _ALPHA:
            low = k + 1
        if cumulative >= 1 - _ALPHA:
            high = k + 1
            break
    return low, high


def _binomial(total: int, k: int, quantile: float) -> float:
    log_choose = math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1)
    return math.exp(log_choose + k * math.log(quantile) + (total - k) * math.log1p(-quantile))
