"""Figures from two samples of the counters of all workers. Pure.

A sample is a sum over workers since their start, so two of them make the figures of the time between,
quantiles included: the cells of a histogram are counts by bucket. The dashboard samples the cells of the
workers, `choirbook top` a page of metrics; both compute their figures here, so that they show the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from math import inf
from typing import NamedTuple

import msgspec

from choirbook.observe import health
from choirbook.observe.metrics import (
    BUCKETS_S,
    CACHE_BYTES,
    CACHE_SIZE,
    DASHBOARD_RESPONSES,
    FAILED,
    LOADING,
    OPEN_STREAMS,
    RESPONSES,
    SESSIONS,
    STALE,
)
from choirbook.observe.quantiles import quantile_s

Labels = tuple[tuple[str, str], ...]
Totals = Mapping[tuple[str, Labels], Sequence[float]]
"""Metric and labels -> cells, summed over workers."""

_PLAIN = health.METRICS | {
    CACHE_BYTES,
    CACHE_SIZE,
    DASHBOARD_RESPONSES,
    FAILED,
    OPEN_STREAMS,
    SESSIONS,
}
"""Metrics reduced to one number each here, whatever their labels."""

_SERVER_ERRORS = "5xx"
_BOUNDS_S = (*BUCKETS_S, inf)


class ReadKind(NamedTuple):
    """Reads of one type and result."""

    type: str
    result: str
    """`hit` or `miss`."""


class Sample(NamedTuple):
    """Counters at one moment."""

    at_s: float
    """Time, on one clock for all samples that are compared: Unix time, or the monotonic clock."""
    reads: dict[ReadKind, tuple[float, ...]]
    """Reads by bucket of `BUCKETS_S`, the last one for all that took longer."""
    plain: dict[str, float]
    """Metric -> its sum; metrics that no worker has are missing."""
    server_errors: float

    @property
    def moment(self) -> health.HealthSample:
        """Values from which states are derived."""
        return health.HealthSample(self.plain, self.server_errors)

    def value(self, metric: str, default: float = 0.0) -> float:
        """Return a metric that is one number."""
        return self.plain.get(metric, default)


class Quantiles(msgspec.Struct, frozen=True):
    """Quantiles of read latencies, in milliseconds; None if there were no reads."""

    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


class PeriodFigures(msgspec.Struct, frozen=True):
    """Figures of the time between two samples."""

    seconds: float
    requests: float
    requests_per_s: float
    reads: float
    reads_per_s: float
    hit_rate: float | None
    """Fraction of hits, from 0 to 1; None if nothing was read."""
    failed: float
    stale: float
    quantiles: Quantiles


class KindFigures(msgspec.Struct, frozen=True):
    """Reads of one kind in the time between two samples."""

    type: str
    result: str
    reads: float
    quantiles: Quantiles


def sample_of(totals: Totals, at_s: float) -> Sample:
    """Make a sample.

    Args:
        totals: Totals of all workers.
        at_s: Now, see `Sample`.
    """
    reads: dict[ReadKind, tuple[float, ...]] = {}
    plain: dict[str, float] = {}
    server_errors = 0.0
    for (metric, labels), cells in totals.items():
        if metric == LOADING:
            named = dict(labels)
            kind = ReadKind(named["resource_type"], named["cache_result"])
            reads[kind] = tuple(cells[: len(BUCKETS_S) + 1])
        elif metric in _PLAIN:
            plain[metric] = plain.get(metric, 0.0) + cells[0]
            if metric == RESPONSES and dict(labels).get("status") == _SERVER_ERRORS:
                server_errors += cells[0]
    return Sample(at_s, reads, plain, server_errors)


def between(old: Sample, new: Sample) -> PeriodFigures:
    """Return the figures of the time from one sample to a later one."""
    seconds = max(new.at_s - old.at_s, 0.001)
    counts = {kind: _grown(old, new, kind) for kind in new.reads}
    reads = sum(map(sum, counts.values()))
    hits = sum(sum(found) for kind, found in counts.items() if kind.result == "hit")
    # An open page requests data every few seconds; this is not counted as load.
    requests = max(0.0, increase(old, new, RESPONSES) - increase(old, new, DASHBOARD_RESPONSES))
    return PeriodFigures(
        round(seconds, 3),
        requests,
        requests / seconds,
        reads,
        reads / seconds,
        hits / reads if reads else None,
        increase(old, new, FAILED),
        increase(old, new, STALE),
        _quantiles(_added(counts.values())),
    )


def rows(old: Sample, new: Sample) -> list[KindFigures]:
    """Return the figures by kind, without those that were not read; the most read first."""
    found = [(kind, _grown(old, new, kind)) for kind in new.reads]
    made = [KindFigures(kind.type, kind.result, sum(counts), _quantiles(counts)) for kind, counts in found]
    return sorted((row for row in made if row.reads), key=lambda row: (-row.reads, row.type, row.result))


def increase(old: Sample, new: Sample, metric: str) -> float:
    """Return the growth of a metric that is one number."""
    return health.increase(old.value(metric), new.value(metric))


def _quantiles(counts: Sequence[float]) -> Quantiles:
    cumulative = list(zip(_BOUNDS_S, accumulate(counts), strict=False))
    return Quantiles(*(_milliseconds(quantile_s(cumulative, quota)) for quota in (0.50, 0.95, 0.99)))


def _milliseconds(value_s: float | None) -> float | None:
    return None if value_s is None else round(value_s * 1000, 4)


def _grown(old: Sample, new: Sample, kind: ReadKind) -> list[float]:
    before = old.reads.get(kind)
    now = new.reads[kind]
    if before is None or sum(now) < sum(before):
        # Counts that went back are of a server that was started meanwhile, see `health.increase`.
        return list(now)
    return [max(0.0, b - a) for a, b in zip(before, now, strict=True)]


def _added(parts: Iterable[Sequence[float]]) -> list[float]:
    return [sum(column) for column in zip(*parts, strict=True)]
