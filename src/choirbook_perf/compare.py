"""Comparison of two sets of runs. Pure.

A run is one value of each metric. Its requests share the run's minute, server process and machine, so ten
thousand of them are no ten thousand samples: taken as such, every second pair of runs of the same code
"differs". With one run of each there is no measure of how runs scatter, hence no verdict.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

import msgspec

from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.results import Result
from choirbook_perf.stats import shifts
from choirbook_perf.stats.decisions import Finding, Limits, LogRatios, decide

CPU, THROUGHPUT = "cpu_us", "requests_per_s"
_CPU_COUNTER = "process_cpu_seconds_total"
_UNITS = {CPU: "µs", THROUGHPUT: "1/s"}
_PERCENTILES = {"p50_ms": ("", 50.0), "p95_ms": ("", 95.0), "p99_ms": ("", 99.0)}
_SHOWN_PERCENTILES = {"hit_p95_ms": ("hit", 95.0), "miss_p95_ms": ("miss", 95.0)}
_ONE_AFTER_THE_OTHER = (
    "All runs of one set were made before those of the other, so a change of the machine in between looks "
    "like one of the server. Make them in turns, or use 'choirbook perf ab'."
)
JUDGED = (CPU, *_PERCENTILES, THROUGHPUT)
"""Metrics with an outcome; others are parts of them, and shown."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of both sets."""

    metric: str
    unit: str
    old: float
    """Median of the runs."""
    new: float
    change: float | None
    """Ratio of the medians, less 1; None if the old one is 0."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison of two sets of runs."""

    old_runs: int
    new_runs: int
    differences: list[Difference]
    findings: list[Finding]
    """Outcomes; empty with one run of each."""
    failures: tuple[int, int]
    """Failed requests of both sets."""
    doubts: list[str]
    """Why generators of some runs cannot be trusted; then there is no verdict."""
    warnings: list[str]


def compare(old: Sequence[Result], new: Sequence[Result], limits: Limits) -> Compared:
    """Compare two sets of runs by every metric that all have."""
    before, after = _columns(old), _columns(new)
    names = [name for name in before if name in after]
    return Compared(
        old_runs=len(old),
        new_runs=len(new),
        differences=[_difference(name, before[name], after[name]) for name in names],
        findings=_findings({name: (before[name], after[name]) for name in names if name in JUDGED}, limits),
        failures=(sum(each.failed() for each in old), sum(each.failed() for each in new)),
        doubts=sorted({reason for run in (*old, *new) for reason in run.generator.reasons}),
        warnings=_warnings(old, new),
    )


def _findings(columns: Mapping[str, tuple[list[float], list[float]]], limits: Limits) -> list[Finding]:
    sizes = {min(len(before), len(after)) for before, after in columns.values()}
    if sizes <= {1}:
        return []
    samples = [
        LogRatios(
            name,
            shifts.unpaired(list(map(math.log, before)), list(map(math.log, after))),
            min(len(before), len(after)),
            shifts.runs_needed,
            is_more_better=name == THROUGHPUT,
        )
        for name, (before, after) in columns.items()
        if min(before) > 0 and min(after) > 0
    ]
    return decide(samples, limits)


def _columns(runs: Sequence[Result]) -> dict[str, list[float]]:
    """Return the values of all runs by metric, without metrics that one of them lacks."""
    rows = [_values(run) for run in runs]
    return {name: [row[name] for row in rows] for name in rows[0] if all(name in row for row in rows)}


def _values(run: Result) -> dict[str, float]:
    found: dict[str, float] = {}
    total = run.attempts()
    cpu_s = run.server_after.get(_CPU_COUNTER, 0.0) - run.server_before.get(_CPU_COUNTER, 0.0)
    if cpu_s > 0 and total:
        found[CPU] = cpu_s / total * 1e6
    for name, (cache_result, percent) in {**_PERCENTILES, **_SHOWN_PERCENTILES}.items():
        latencies = _latencies(run, cache_result)
        if len(latencies):
            found[name] = latencies.percentile_ms(percent)
    if run.duration_s > 0:
        found[THROUGHPUT] = run.requests() / run.duration_s
    return found


def _latencies(run: Result, cache_result: str) -> LatencyHistogram:
    labels = {"cache_result": cache_result} if cache_result else {}
    return run.histogram("judged_counts", **labels)


def _difference(name: str, before: Sequence[float], after: Sequence[float]) -> Difference:
    old, new = statistics.median(before), statistics.median(after)
    change = new / old - 1 if old else None
    return Difference(metric=name, unit=_UNITS.get(name, "ms"), old=old, new=new, change=change)


def _warnings(old: Sequence[Result], new: Sequence[Result]) -> list[str]:
    begun = [[each.started for each in runs] for runs in (old, new)]
    if len(old) > 1 and (max(begun[0]) < min(begun[1]) or max(begun[1]) < min(begun[0])):
        return [_ONE_AFTER_THE_OTHER]
    return []
