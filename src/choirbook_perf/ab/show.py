"""Outcomes of a comparison in a terminal, for programs, and as an exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from choirbook_perf.ab import judging
from choirbook_perf.ab.results import AbResult
from choirbook_perf.ab.schedule import NEW, OLD
from choirbook_perf.errors import GateFailed, Inconclusive
from choirbook_perf.stats.decisions import FASTER, MAX_MORE, SAME, SLOWER, UNKNOWN, Finding

STYLES = {SLOWER: "bold red", FASTER: "green", SAME: "green", UNKNOWN: "yellow"}

FEW_FAILURES = 5
"""Failures of the new server alone that are no accident."""


def show(comparison: AbResult) -> None:
    """Print the outcomes on stdout, as text."""
    console = Console(highlight=False)
    for side, subject in zip(("old", "new"), comparison.subjects, strict=True):
        by = f", in {subject.environment}" if subject.environment else ""
        text = f"{side}: {subject.given} {subject.name}{by}: {subject.server or 'a server without a name'}"
        console.print(text, markup=False, soft_wrap=True)
    unit = comparison.load["pairs"]
    console.print(outcomes(comparison.findings, comparison.skipped, "rounds", unit))
    for side, (failed, total) in zip(("old", "new"), _failures(comparison).values(), strict=True):
        if failed:
            console.print(f"{side}: {failed} of {total} requests failed", style="red", soft_wrap=True)
    for found, told in (
        ([each.doubt for each in comparison.slices], "slices do not count"),
        ([each.lateness for each in comparison.slices], "slices count for processor time only"),
    ):
        reasons = [reason for reason in found if reason]
        if reasons:
            console.print(f"{len(reasons)} {told}, such as: {reasons[0]}", style="yellow", soft_wrap=True)


def outcomes(findings: Sequence[Finding], skipped: Mapping[str, str], noun: str, pairs: int = 1) -> Table:
    """Return the table of a comparison.

    Args:
        findings: Its rows.
        skipped: Metrics without an outcome, with the reason.
        noun: What was counted, such as `rounds`.
        pairs: Pairs in each of them.
    """
    heads = ("metric", "change", "interval at 99 %", "outcome", noun, "detectable", "more needed")
    table = Table(*heads, box=None)
    for each in findings:
        row = (each.metric, percent(each.change), span(each), each.outcome, str(each.size))
        table.add_row(*row, percent(each.detectable), more(each, noun, pairs), style=STYLES[each.outcome])
    for metric, reason in skipped.items():
        table.add_row(metric, "-", "-", f"not decided: {reason}", "", "", "")
    return table


def percent(ratio: float | None) -> str:
    """Format a change."""
    return "-" if ratio is None else f"{100 * ratio:+.1f} %"


def span(finding: Finding) -> str:
    """Format an interval."""
    if finding.low is None or finding.high is None:
        return "too few for one"
    return f"{percent(finding.low)} to {percent(finding.high)}"


def more(finding: Finding, noun: str, pairs: int = 1) -> str:
    """Format how many more rounds or runs would suffice."""
    if not finding.more:
        return "none"
    if finding.more >= MAX_MORE:
        return "too many: reduce the noise"
    return f"{finding.more} {noun}" + (f" ({finding.more * pairs} pairs)" if pairs > 1 else "")


def summary(comparison: AbResult, path: str) -> dict[str, Any]:
    """Return the outcomes for a program."""
    return {
        "result": path,
        "is_partial": comparison.is_partial,
        "subjects": [msgspec.structs.asdict(each) for each in comparison.subjects],
        "findings": [msgspec.structs.asdict(each) for each in comparison.findings],
        "skipped": comparison.skipped,
        "failures": dict(zip(("old", "new"), _failures(comparison).values(), strict=True)),
    }


def check(comparison: AbResult) -> None:
    """Raise the error for the outcomes, if they are not a pass.

    Raises:
        GateFailed: The new server is slower by some metric, or fails.
        Inconclusive: The primary metric is unknown, or requests failed.
    """
    failures = _failures(comparison)
    (old_failed, _), (new_failed, total) = failures[OLD], failures[NEW]
    if new_failed >= FEW_FAILURES and not old_failed:
        raise GateFailed(f"{new_failed} of {total} requests to the new server failed, none to the old one.")
    check_findings(comparison.findings, "more rounds")
    if old_failed or new_failed:
        raise Inconclusive(
            f"{old_failed} requests to the old server failed and {new_failed} to the new one: what fails "
            "is not compared. See which with 'choirbook perf test'."
        )


def check_findings(findings: Sequence[Finding], remedy: str) -> None:
    """Raise the error for the outcomes of metrics, the first of which is the primary one.

    Raises:
        GateFailed: Some metric is slower.
        Inconclusive: The primary metric is unknown, or there is none.
    """
    slower = [each for each in findings if each.outcome == SLOWER]
    if slower:
        told = "; ".join(f"{each.metric} {percent(each.change)} ({span(each)})" for each in slower)
        raise GateFailed(f"Slower beyond the band: {told}.")
    if not findings:
        raise Inconclusive("Nothing was measured on both sides.")
    if findings[0].outcome == UNKNOWN:
        raise Inconclusive(
            f"{findings[0].metric} is unknown: {percent(findings[0].change)} ({span(findings[0])}). Use "
            f"{remedy}, or a quieter machine."
        )


def _failures(comparison: AbResult) -> Mapping[int, tuple[int, int]]:
    return judging.failures_of(comparison.slices)
