"""Outcomes of the slices of two servers. Pure.

A pair gives the logarithm of new/old of each metric, a round the median of its pairs, and the rounds are what
the statistics are about: their servers, and so their values, are independent of each other.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from choirbook_perf.ab.results import Slice
from choirbook_perf.ab.schedule import NEW, OLD
from choirbook_perf.errors import BadInput
from choirbook_perf.stats import autocorrelation, shifts
from choirbook_perf.stats.decisions import Finding, Limits, LogRatios, decide

CPU, P50, THROUGHPUT, P95, P99 = "cpu_us", "p50_ms", "throughput", "p95_ms", "p99_ms"

_FIELDS = {CPU: "cpu_us", P50: "p50_ms", THROUGHPUT: "rate", P95: "p95_ms", P99: "p99_ms"}
_TAILS = (P95, P99)
"""Judged only if the difference that they could show is within the margin: in short slices they seldom
can."""


class Judgement(NamedTuple):
    """Outcomes of all metrics."""

    findings: list[Finding]
    """The primary metric first: CPU per request, or p50 of a server that is known by its URL."""
    skipped: dict[str, str]
    """Metrics without an outcome, with the reason."""


def judge(slices: Iterable[Slice], limits: Limits, metrics: Sequence[str] = tuple(_FIELDS)) -> Judgement:
    """Return the outcome of each metric.

    Args:
        slices: All slices, dropped ones too.
        limits: Band and margin.
        metrics: Metrics to judge; each further one makes the intervals of all wider.
    """
    counted = pairs_of(slices)
    samples: list[LogRatios] = []
    skipped: dict[str, str] = {}
    for metric in metrics:
        values = rounds_of(counted, metric)
        if not values:
            skipped[metric] = _missing(counted, metric)
            continue
        sample = _sample(metric, values)
        if metric in _TAILS and (reason := _too_coarse(sample, limits)):
            skipped[metric] = reason
            continue
        samples.append(sample)
    return Judgement(decide(samples, limits), skipped)


def chosen(metrics: Sequence[str]) -> tuple[str, ...]:
    """Return the metrics to judge, all if none are named.

    Raises:
        BadInput: One of them is unknown.
    """
    for metric in metrics:
        if metric not in _FIELDS:
            raise BadInput(f"--metric {metric!r} is unknown. Pass one of {', '.join(_FIELDS)}.")
    return tuple(each for each in _FIELDS if not metrics or each in metrics)


def pairs_of(slices: Iterable[Slice]) -> list[tuple[Slice, Slice]]:
    """Return the pairs (old, new) that count, in order of time."""
    sides: dict[tuple[int, int], dict[int, Slice]] = {}
    for each in slices:
        if each.pair > 0 and not each.doubt:
            sides.setdefault((each.round, each.pair), {})[each.side] = each
    return [(pair[OLD], pair[NEW]) for pair in sides.values() if len(pair) == len((OLD, NEW))]


def rounds_of(pairs: Iterable[tuple[Slice, Slice]], metric: str) -> list[float]:
    """Return the logarithm of new/old of a metric for each round, without rounds that lack it."""
    by_round: dict[int, list[float]] = {}
    field = _FIELDS[metric]
    for old, new in pairs:
        before, after = getattr(old, field), getattr(new, field)
        # The kernel counts the server's processor time, however late the generator was.
        is_reliable = metric == CPU or not (old.lateness or new.lateness)
        if before and after and is_reliable:
            by_round.setdefault(old.round, []).append(math.log(after / before))
    return [statistics.median(values) for values in by_round.values()]


def _sample(metric: str, values: Sequence[float]) -> LogRatios:
    return LogRatios(
        metric,
        shifts.paired(values),
        len(values),
        shifts.pairs_needed,
        autocorrelation.widening(values),
        is_more_better=metric == THROUGHPUT,
    )


def _missing(pairs: Sequence[tuple[Slice, Slice]], metric: str) -> str:
    is_late = metric != CPU and any(each.lateness for pair in pairs for each in pair)
    return "the generator was too slow in every pair" if is_late else "not measured"


def _too_coarse(sample: LogRatios, limits: Limits) -> str:
    (alone,) = decide([sample], limits)
    if alone.detectable is None:
        return "too few rounds"
    if alone.detectable > limits.margin:
        return f"only differences over {alone.detectable:.0%} could be found"
    return ""


def failures_of(slices: Iterable[Slice]) -> Mapping[int, tuple[int, int]]:
    """Return failed and all requests of each side, dropped slices too."""
    found = {OLD: (0, 0), NEW: (0, 0)}
    for each in slices:
        failed, total = found[each.side]
        found[each.side] = failed + each.failures, total + each.requests
    return found
