"""Tables of load tests. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from choirbook_perf import figures, gate, generator_summary
from choirbook_perf.report.tables import PERCENT_HEADS, groups, percentile_cells, percentile_ms, run_cells
from choirbook_perf.results import Result
from choirbook_perf.runbook.markdown import table

LOCUST_PERCENTS = (50, 66, 75, 80, 90, 95, 98, 99, 99.9)
"""Percentiles of Locust's own report, so that the two can be compared."""


def summary(result: Result) -> str:
    """Describe in a sentence what was run, when, and on which machine."""
    target, generator = result.target, result.generator
    partial = " **The run was interrupted.**" if result.is_partial else ""
    spoken = f"{target.protocol} {target.era}".strip()
    label = f"**{result.label}:** " if result.label else ""
    return (
        f"{label}{generator_summary.load(generator)} for {figures.significant(result.duration_s)} s over "
        f"{spoken}, {result.started}; load generator {generator.name}, {generator_summary.state(generator)}."
        f"{partial}\n\n{machine(msgspec.structs.asdict(result.environment))}"
    )


def machine(environment: Mapping[str, Any]) -> str:
    """Describe in a sentence the machine of a measurement.

    Args:
        environment: An `Environment` from a file; missing fields are omitted.
    """
    known = environment.get
    memory = [figures.bytes_(known("memory_bytes", 0))] if known("memory_bytes") else []
    versions = [f"{name} {version}" for name, version in sorted(known("versions", {}).items())]
    parts = [
        ", ".join([known("cpu", "unknown CPU"), f"{known('cores', '?')} cores", *memory]),
        f"Linux {known('kernel', '?')}, Python {known('python', '?')}",
        ", ".join(versions),
        f"commit `{known('commit') or 'unknown'}`",
    ]
    name = f"Machine `{known('machine')}`: " if known("machine") else ""
    return f"{name}{'; '.join(part for part in parts if part)}."


def verdict(result: Result) -> str:
    """Show the thresholds and measurements."""
    rows = [
        (
            f"`{row.metric}`",
            f"**{row.outcome}**" if row.outcome != "pass" else row.outcome,
            row.reason,
            gate.limit_of(row),
            gate.value_of(row),
            gate.interval_of(row),
            figures.whole(row.requests),
        )
        for row in result.verdict
    ]
    return table(("Metric", "Outcome", "Reason", "Limit", "Measured", "Interval", "Requests"), rows, texts=3)


def percentiles(result: Result) -> str:
    """Show latencies overall, by cache result, type, resource and project."""
    rows = [
        (name, figures.whole(len(latencies)), figures.whole(failures), *percentile_cells(latencies))
        for name, latencies, failures in groups(result)
    ]
    return table(("ms", "Requests", "Failed", *PERCENT_HEADS, "Mean", "Longest"), rows)


def locust(result: Result) -> str:
    """Show the table that Locust prints at the end of a run, from the unrounded latencies."""
    names = sorted({series.name for series in result.series})
    rows = [_locust_row(result, name) for name in names]
    rows.append(_locust_row(result, ""))
    percents = [f"{percent:g}%" for percent in LOCUST_PERCENTS]
    head = ("Name", "Requests", "Fails", "Avg", "Min", "Max", "Med", "req/s", *percents)
    return table(head, rows)


def _locust_row(result: Result, name: str) -> list[str]:
    latencies = result.histogram(name=name) if name else result.histogram()
    failed = sum(series.failures for series in result.series if name in {"", series.name})
    counts = latencies.counts()
    least_ms = counts[0][0] / 1000 if counts else None
    rate = len(latencies) / result.duration_s if result.duration_s else None
    figures_ms = (latencies.mean_ms(), least_ms, latencies.max_ms(), latencies.percentile_ms(50))
    return [
        name or "**Aggregated**",
        figures.whole(len(latencies)),
        figures.whole(failed),
        *map(figures.milliseconds, figures_ms),
        figures.significant(rate),
        *(figures.milliseconds(percentile_ms(latencies, percent)) for percent in LOCUST_PERCENTS),
    ]


def comparison(before: Result, after: Result) -> str:
    """Show two runs one above the other, and the ratio of their latencies."""
    rows = [
        ("before", *run_cells(before)),
        ("after", *run_cells(after)),
        ("after / before", *_ratios(before, after)),
    ]
    return table(("ms", "Requests", "req/s", "Hits", "Failed", *PERCENT_HEADS, "Mean", "Longest"), rows)


def _ratios(before: Result, after: Result) -> list[str]:
    old, new = before.histogram(), after.histogram()
    percents = [float(head[1:]) for head in PERCENT_HEADS]
    pairs = [(old.percentile_ms(percent), new.percentile_ms(percent)) for percent in percents]
    pairs += [(old.mean_ms(), new.mean_ms()), (old.max_ms(), new.max_ms())]
    ratios = [figures.significant(late / early if early else None) for early, late in pairs]
    return ["", _rate_ratio(before, after), "", "", *ratios]


def _rate_ratio(before: Result, after: Result) -> str:
    if not (before.duration_s and after.duration_s and before.requests()):
        return figures.MISSING
    return figures.significant(
        (after.requests() / after.duration_s) / (before.requests() / before.duration_s)
    )
