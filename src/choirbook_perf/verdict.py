"""Verdict of a run in a terminal."""

from __future__ import annotations

from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from choirbook_perf import gate
from choirbook_perf.gate import INVALID
from choirbook_perf.results import Result, Row

_STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "not measured": "yellow"}
_MAX_FAILURES = 5


def show(result: Result) -> None:
    """Print the verdict on stdout, as text."""
    console = Console(highlight=False)
    console.print(_heading(result), markup=False, soft_wrap=True)
    console.print(_percentiles(result))
    console.print(_rows(result.verdict))
    for failure in result.failures[:_MAX_FAILURES]:
        text = f"failed {failure.count} times: {failure.name}: {failure.reason}"
        console.print(text, style="red", markup=False, soft_wrap=True)


def summary(result: Result, path: str) -> dict[str, Any]:
    """Return the verdict for a program."""
    return {
        "result": path,
        "outcome": gate.outcome(result.verdict),
        "is_generator_valid": result.generator.is_valid,
        "is_partial": result.is_partial,
        "requests": result.requests(),
        "failed": result.failed(),
        "duration_s": result.duration_s,
        "verdict": [msgspec.structs.asdict(row) for row in result.verdict],
    }


def _heading(result: Result) -> str:
    partial = ", interrupted" if result.is_partial else ""
    era = f" {result.target.era}" if result.target.era else ""
    total = result.attempts()
    rate = f" ({total / result.duration_s if result.duration_s else 0:.0f}/s)"
    return (
        f"{result.target.server or 'server'}, {result.target.protocol}{era}: {total} requests in "
        # What a generator that was too slow could send says nothing about the server.
        f"{result.duration_s:.0f} s{rate if result.generator.is_valid else ''}, "
        f"{result.failed()} failed{partial}"
    )


def _percentiles(result: Result) -> Table:
    table = Table("type", "cache", "requests", "p50 ms", "p95 ms", "p99 ms", "longest ms", box=None)
    pairs = sorted({(each.resource_type, each.cache_result) for each in result.series})
    for resource_type, cache_result in pairs:
        latencies = result.histogram(resource_type=resource_type, cache_result=cache_result)
        if not len(latencies):
            continue
        figures = [latencies.percentile_ms(percent) for percent in (50, 95, 99)] + [latencies.max_ms()]
        row = (resource_type, cache_result, str(len(latencies)))
        table.add_row(*row, *(f"{figure:.3g}" for figure in figures))
    return table


def _rows(rows: list[Row]) -> Table:
    table = Table("metric", "limit", "measured", "interval", "requests", "verdict", box=None)
    for row in rows:
        # Why a generator is not valid is a paragraph of its own, not of each row.
        reason = INVALID if row.reason.startswith(INVALID) else row.reason
        verdict = f"{row.outcome}: {reason}" if reason else row.outcome
        verdict += "" if row.is_required or row.outcome != "not measured" else " (not required)"
        figures = (gate.limit_of(row), gate.value_of(row), gate.interval_of(row), str(row.requests))
        table.add_row(row.metric, *figures, verdict, style=_STYLES[row.outcome])
    return table
