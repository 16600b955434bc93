"""The figures of `choirbook top`, made of two samples of a server. Pure.

All of them come from `observe.figures`, as those of the dashboard do.
"""

from __future__ import annotations

import msgspec

from choirbook.observe.figures import KindFigures, Sample, between, increase, rows
from choirbook.observe.health import HealthState, states
from choirbook.observe.metrics import (
    CACHE_BYTES,
    CACHE_SIZE,
    CATALOG_SIZE,
    EVICTIONS,
    OPEN_STREAMS,
    SESSIONS,
    WORKERS,
)


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
    """Without those of open dashboards, which show the same number."""
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
    states: list[HealthState]
    """Problems, the worst first, in the same words as on the dashboard."""


def figures(before: Sample, now: Sample) -> Figures:
    """Compute the figures between two moments."""
    found = between(before, now)
    workers = now.plain.get(WORKERS)
    return Figures(
        over_s=found.seconds,
        reads_per_s=found.reads_per_s,
        requests_per_s=found.requests_per_s,
        hit_rate=found.hit_rate,
        failed_reads_per_s=found.failed / found.seconds,
        reads=int(sum(map(sum, now.reads.values()))),
        latencies=[_latencies(row, found.seconds) for row in sorted(rows(before, now), key=_name)],
        cache_resources=int(now.value(CACHE_SIZE)),
        cache_bytes=int(now.value(CACHE_BYTES)),
        evictions_per_s=increase(before, now, EVICTIONS) / found.seconds,
        resources=int(now.value(CATALOG_SIZE)),
        streams=int(now.value(OPEN_STREAMS)),
        sessions=int(now.value(SESSIONS)),
        workers=None if workers is None else int(workers),
        states=states(before.moment, now.moment),
    )


def _name(row: KindFigures) -> tuple[str, str]:
    return row.type, row.result


def _latencies(row: KindFigures, over_s: float) -> Latencies:
    quantiles = row.quantiles
    return Latencies(
        row.type, row.result, row.reads / over_s, quantiles.p50_ms, quantiles.p95_ms, quantiles.p99_ms
    )
