"""Comparison of two sets of runs in a terminal, for programs, and as an exit code."""

from __future__ import annotations

from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from choirbook_perf.ab import show as outcomes
from choirbook_perf.compare import JUDGED, Compared
from choirbook_perf.errors import GateFailed, Inconclusive
from choirbook_perf.stats.decisions import ALPHA
from choirbook_perf.stats.shifts import runs_needed


def show(found: Compared) -> None:
    """Print a comparison on stdout, as text."""
    console = Console(highlight=False)
    table = Table("metric", "unit", f"old ({found.old_runs})", f"new ({found.new_runs})", "change", box=None)
    for each in found.differences:
        change = outcomes.percent(each.change)
        table.add_row(each.metric, each.unit, f"{each.old:.4g}", f"{each.new:.4g}", change)
    console.print(table)
    if found.findings:
        console.print(outcomes.outcomes(found.findings, {}, "runs"))
    if any(found.failures):
        told = f"failed requests: {found.failures[0]} in the old runs, {found.failures[1]} in the new ones"
        console.print(told, style="red", soft_wrap=True)
    for doubt in found.doubts:
        console.print(f"a run is invalid: {doubt}", style="bold red", markup=False, soft_wrap=True)
    for warning in found.warnings:
        console.print(warning, style="yellow", markup=False, soft_wrap=True)


def summary(found: Compared) -> dict[str, Any]:
    """Return a comparison for a program."""
    return dict(msgspec.to_builtins(found))


def check(found: Compared) -> None:
    """Raise the error for a comparison, if it is not a pass.

    Raises:
        GateFailed: The new runs are slower by some metric, or fail.
        Inconclusive: There is one run of each, a run is invalid, or the first metric is unknown.
    """
    if found.doubts:
        raise Inconclusive(f"A run is invalid, so nothing is decided. {found.doubts[0]}")
    old_failed, new_failed = found.failures
    if new_failed >= outcomes.FEW_FAILURES and not old_failed:
        raise GateFailed(f"{new_failed} requests failed in the new runs, none in the old ones.")
    if not found.findings:
        raise Inconclusive(
            f"One run of each shows differences, not whether they are more than chance. Compare "
            f"{runs_needed(ALPHA / len(JUDGED))} runs of each or more, or use 'choirbook perf ab'."
        )
    outcomes.check_findings(found.findings, "more runs")
    if old_failed or new_failed:
        raise Inconclusive("Requests failed: what fails is not compared. See which in the results.")
