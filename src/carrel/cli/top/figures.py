"""From what a server counted at two moments to what an operator wants to know. Pure."""

from __future__ import annotations

import math

import msgspec

from carrel.cli.top.scraping import Labels, Snapshot
from carrel.observe.metrics import (
    CACHE_BYTES,
    CACHE_SIZE,
    CATALOG_SIZE,
    DROPPED_LINES,
    EVICTIONS,
    FAILED,
    FAILED_SURVEYS,
    FAILING_EXPORTERS,
    FEED_UP,
    HITS,
    LOADING,
    MISSES,
    OPEN_STREAMS,
    REDIS_UNVERIFIED,
    RESPONSES,
    SESSIONS,
    SHARED_UP,
    SPANS_DROPPED,
    STALE,
    TRACES_DROPPED,
    WANTED_WORKERS,
    WATCHING,
    WORKERS,
)
from carrel.observe.quantiles import quantile_s

_QUANTILES = (0.5, 0.95, 0.99)


class Latencies(msgspec.Struct, frozen=True, rename="camel"):
    """Reads of one type that one kind of place answered; quantiles are None where there were none."""

    resource_type: str
    cache_result: str
    reads_per_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class Figures(msgspec.Struct, frozen=True, rename="camel"):
    """What happened between two moments, and what is so at the later one."""

    over_s: float
    reads_per_s: float
    requests_per_s: float
    hit_rate: float | None
    """Of the reads, from 0 to 1; None where there were none."""
    failed_reads_per_s: float
    reads: int
    """Since the start of the server."""
    latencies: list[Latencies]
    cache_resources: int
    cache_bytes: int
    evictions_per_s: float
    resources: int
    streams: int
    sessions: int
    workers: int | None
    states: list[str]
    """What is not as it should be, in words."""


def figures(before: Snapshot, now: Snapshot) -> Figures:
    """Work out the figures between two moments."""
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
        states=_states(before, now),
    )


def _grown(before: Snapshot, now: Snapshot, name: str) -> float:
    return sum(_increase(before, name, labels, value) for labels, value in now.values.get(name, {}).items())


def _increase(before: Snapshot, name: str, labels: Labels, value: float) -> float:
    earlier = before.values.get(name, {}).get(labels, 0.0)
    # A counter that went back is one of a server that was started meanwhile.
    return value - earlier if value >= earlier else value


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


def _states(before: Snapshot, now: Snapshot) -> list[str]:
    states = []
    workers, wanted = now.value(WORKERS), now.value(WANTED_WORKERS)
    if workers is not None and wanted is not None and workers < wanted:
        states.append(f"Only {workers:.0f} of {wanted:.0f} workers run.")
    if now.value(WATCHING) == 0:
        states.append("The system does not tell of changes to the library; surveys find them, seconds later.")
    if now.value(SHARED_UP) == 0:
        states.append("Redis is left alone because it fails; reads go on from memory and the library.")
    if now.value(FEED_UP) == 0:
        states.append("Changes that other workers and hosts saw do not arrive; all is compared every 4 s.")
    if now.total(FAILING_EXPORTERS):
        states.append("Traces do not arrive: the collector did not take the last spans.")
    told = (
        (FAILED_SURVEYS, "surveys of the library failed"),
        (STALE, "reads got the last good content, as the source failed"),
        (
            REDIS_UNVERIFIED,
            "values or messages in Redis were not signed by this server's hosts, and not used",
        ),
        (DROPPED_LINES, "log lines were dropped, as stderr does not take them"),
        (SPANS_DROPPED, "spans were lost on the way to the collector"),
        (TRACES_DROPPED, "requests were not traced, as too many waited for it"),
    )
    states += [f"{count:.0f} {what}." for name, what in told if (count := _grown(before, now, name))]
    errors = _increase(before, RESPONSES, _FAILURES, now.value(RESPONSES, status="5xx") or 0.0)
    return states + ([f"{errors:.0f} answers were 5xx."] if errors else [])


_FAILURES: Labels = (("status", "5xx"),)
