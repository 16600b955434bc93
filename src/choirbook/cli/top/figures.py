"""Figures for operators, computed from a server's counters at two moments. Pure."""

from __future__ import annotations

import math

import msgspec

from choirbook.cli.top.scraper import Labels, Snapshot
from choirbook.observe.metrics import (
    CACHE_BYTES,
    CACHE_SIZE,
    CATALOG_SIZE,
    EVICTIONS,
    FAILED,
    HITS,
    LOADING,
    MISSES,
    OPEN_STREAMS,
    RESPONSES,
    SESSIONS,
    WORKERS,
)
from choirbook.observe.quantiles import quantile_s
from choirbook.observe.states import METRICS, Moment, State, increase, states

_QUANTILES = (0.5, 0.95, 0.99)


class Latencies(msgspec.Struct, frozen=True, rename="camel"):
    """Latencies of reads of one type and origin; quantiles are None if there were no reads."""

    resource_type: str
    cache_result: str
    reads_per_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class Figures(msgspec.Struct, frozen=True, rename="camel"):
    """Events between two moments, and the state at the later one."""

    over_s: float
    reads_per_s: float
    requests_per_s: float
    hit_rate: float | None
    """Fraction of hits among the reads, from 0 to 1; None if there were no reads."""
    failed_reads_per_s: float
    reads: int
    """Number of reads since the start of the server."""
    latencies: list[Latencies]
    cache_resources: int
    cache_bytes: int
    evictions_per_s: float
    resources: int
    streams: int
    sessions: int
    workers: int | None
    states: list[State]
    """Problems, the worst first, in the same words as on the dashboard."""


def figures(before: Snapshot, now: Snapshot) -> Figures:
    """Compute the figures between two moments."""
    over_s = max(now.at_s - before.at_s, 1e-3)
    hits, misses = _grown(before, now, HITS), _grown(before, now, MISSES)
    reads = hits + misses
    return Figures(
        over_s=over_s,
        reads_per_s=reads / over_s,
        requests_per_s=_grown(before, now, RESPONSES) / over_s,
        hit_rate=hits / reads if reads else None,
        failed_reads_per_s=_grown(before, now, FAILED) / over_s,
        reads=int(now.total(HITS) + now.total(MISSES)),
        latencies=_latencies(before, now, over_s),
        cache_resources=int(now.total(CACHE_SIZE)),
        cache_bytes=int(now.total(CACHE_BYTES)),
        evictions_per_s=_grown(before, now, EVICTIONS) / over_s,
        resources=int(now.total(CATALOG_SIZE)),
        streams=int(now.total(OPEN_STREAMS)),
        sessions=int(now.total(SESSIONS)),
        workers=None if WORKERS not in now.values else int(now.total(WORKERS)),
        states=states(_moment(before), _moment(now)),
    )


def _grown(before: Snapshot, now: Snapshot, name: str) -> float:
    return sum(_increase(before, name, labels, value) for labels, value in now.values.get(name, {}).items())


def _increase(before: Snapshot, name: str, labels: Labels, value: float) -> float:
    earlier = before.values.get(name, {}).get(labels, 0.0)
    return increase(earlier, value)


def _latencies(before: Snapshot, now: Snapshot, over_s: float) -> list[Latencies]:
    buckets: dict[tuple[str, str], dict[float, float]] = {}
    name = f"{LOADING}_bucket"
    for labels, value in now.values.get(name, {}).items():
        named = dict(labels)
        kind = named.get("resource_type", ""), named.get("cache_result", "")
        grown = _increase(before, name, labels, value)
        buckets.setdefault(kind, {})[_bound(named.get("le", ""))] = grown
    found = []
    for (type_, result), cumulative in sorted(buckets.items()):
        count = max(cumulative.values(), default=0.0)
        if count:
            by_bound = sorted(cumulative.items())
            p50, p95, p99 = (_milliseconds(quantile_s(by_bound, q)) for q in _QUANTILES)
            found.append(Latencies(type_, result, count / over_s, p50, p95, p99))
    return found


def _bound(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.inf


def _milliseconds(value_s: float | None) -> float | None:
    return None if value_s is None else 1000 * value_s


def _moment(of: Snapshot) -> Moment:
    plain = {name: of.total(name) for name in METRICS if name in of.values}
    return Moment(plain, of.value(RESPONSES, status="5xx") or 0.0)
