"""Verdict of a run against its thresholds: passed, failed, inconclusive or not measured. Pure.

A row passes if its whole interval meets the limit, fails if none of it does, and is inconclusive otherwise.
Without a sample it is not measured: never a pass. A load generator that was short of something may have
caused what it measured, so no row of its run is decided. See docs/adr/0023.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from choirbook_perf.engine import FLOOR_FACTOR, is_attributable
from choirbook_perf.estimates import Estimate, estimate
from choirbook_perf.gate import COMPARED, INVALID, quantity
from choirbook_perf.intervals.order import requests_needed
from choirbook_perf.intervals.ratio import needed_without_failure
from choirbook_perf.results import Result, Row
from choirbook_perf.slo import Threshold


def judge(result: Result, thresholds: Iterable[Threshold]) -> list[Row]:
    """Compare a run with thresholds.

    Args:
        result: The run; its verdict is not read.
        thresholds: In the order of the rows.
    """
    return [_row(result, threshold) for threshold in thresholds]


def _row(result: Result, threshold: Threshold) -> Row:
    found = estimate(result, threshold)
    decided, reason = _decided(result, threshold, found)
    is_claimed = result.generator.is_valid or threshold.statistic != "rate"
    return Row(
        metric=threshold.metric,
        operator=threshold.operator,
        limit=threshold.limit,
        measured=_rounded(found.value) if is_claimed else None,
        unit=threshold.unit,
        requests=found.requests,
        outcome=decided,
        reason=reason,
        low=None if found.is_exact or not is_claimed else _rounded(found.low),
        high=None if found.is_exact or not is_claimed else _rounded(found.high),
        confidence=threshold.confidence,
        is_required=threshold.is_required or _reports_cache_results(result),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else round(value, 6)


def _reports_cache_results(result: Result) -> bool:
    """Return whether the server is a Choirbook over HTTP, each of whose responses has a cache result."""
    target = result.target
    return target.protocol == "http" and (
        target.started_here or target.server.lower().startswith("choirbook")
    )


def _decided(result: Result, threshold: Threshold, found: Estimate) -> tuple[str, str]:
    """Return the outcome, and its reason if it is neither a pass nor a plain failure."""
    if not result.generator.is_valid:
        why = " ".join(result.generator.reasons) or "It gave no reason."
        return "inconclusive", f"{INVALID}: {why}"
    if found.value is None:
        return "not measured", found.absence
    meets = COMPARED[threshold.operator]
    low_meets, high_meets = meets(found.low, threshold.limit), meets(found.high, threshold.limit)
    if low_meets and high_meets:
        return "pass", ""
    if low_meets or high_meets:
        return "inconclusive", _unsure(threshold, found)
    if not _is_of_the_server(result, threshold, found.value):
        own = f"{FLOOR_FACTOR:g} times what the load generator measures of itself"
        return "inconclusive", f"{found.value:.3g} ms is less than {own}"
    return "fail", ""


def _is_of_the_server(result: Result, threshold: Threshold, value: float) -> bool:
    """Return whether a value is the server's, rather than the load generator's own."""
    percent = threshold.percent
    if percent is None or threshold.source == "server":
        return True
    return is_attributable(value, percent, result.generator.floor)


def _unsure(threshold: Threshold, found: Estimate) -> str:
    percent = threshold.percent
    needed = requests_needed(percent, threshold.confidence) if percent is not None else 0
    if found.requests < needed:
        return f"{found.requests} requests, {needed} are needed"
    if math.isinf(found.high):
        return "the run was too short for an interval"
    told = f"between {quantity(found.low, threshold.unit)} and {quantity(found.high, threshold.unit)}"
    told += f" at {threshold.confidence:g} %"
    if threshold.statistic == "failures.rate" and not found.value:
        needed = needed_without_failure(threshold.limit, threshold.confidence)
        return f"{told}; {needed} requests without a failure are needed"
    return told
