"""Verdict of a run against its thresholds: passed, failed, inconclusive or not measured. Pure.

A row passes if its whole interval meets the limit, fails if none of it does, and is inconclusive otherwise.
Without a sample it is not measured: never a pass. A load generator that was short of something may have
caused what it measured, so no row of its run is decided. See docs/adr/0023.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence

from choirbook_perf.errors import GateFailed, Inconclusive
from choirbook_perf.estimates import Estimate, estimate
from choirbook_perf.intervals.order import requests_needed
from choirbook_perf.intervals.ratio import needed_without_failure
from choirbook_perf.results import Floor, Result, Row
from choirbook_perf.slo import Threshold

FLOOR_FACTOR = 3
"""A latency below this multiple of the generator's own floor is not blamed on the server."""

_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}


def judge(result: Result, thresholds: Iterable[Threshold]) -> list[Row]:
    """Compare a run with thresholds.

    Args:
        result: The run; its verdict is not read.
        thresholds: In the order of the rows.
    """
    return [_row(result, threshold) for threshold in thresholds]


def meets_limit(row: Row) -> bool:
    """Return whether the measured figure itself, without its interval, meets the limit."""
    return row.measured is not None and _COMPARED[row.operator](row.measured, row.limit)


def is_undecided(row: Row) -> bool:
    """Return whether a row keeps a run from passing without failing it."""
    return row.outcome == "inconclusive" or (row.outcome == "not measured" and row.is_required)


def outcome(rows: Sequence[Row]) -> str:
    """Return the outcome of a run: `fail`, `inconclusive` or `pass`. Nothing measured is not a pass."""
    if any(row.outcome == "fail" for row in rows):
        return "fail"
    if any(map(is_undecided, rows)) or not any(row.outcome == "pass" for row in rows):
        return "inconclusive"
    return "pass"


def check(rows: Sequence[Row], *, fail_unmeasured: bool = False) -> None:
    """Raise the error for the verdict of a run, if it is not a pass.

    Args:
        rows: The verdict.
        fail_unmeasured: Treat a required row without samples as failed.

    Raises:
        GateFailed: A row failed.
        Inconclusive: None failed, but a row is inconclusive, or required and not measured.
    """
    unmeasured = [row for row in rows if row.outcome == "not measured" and row.is_required]
    absent = "; ".join(f"{row.metric} ({row.reason})" for row in unmeasured)
    failed = "; ".join(_told(row) for row in rows if row.outcome == "fail")
    if failed or (absent and fail_unmeasured):
        raise GateFailed(
            " ".join(
                ([f"Failed: {failed}."] if failed else []) + ([f"Not measured: {absent}."] if absent else [])
            )
        )
    sentences = [f"Not measured: {absent}."] if absent else []
    unsure: dict[str, list[str]] = {}
    for row in rows:
        if row.outcome == "inconclusive":
            unsure.setdefault(row.reason, []).append(row.metric)
    if unsure:
        names = "; ".join(f"{', '.join(metrics)} ({reason})" for reason, metrics in unsure.items())
        sentences.append(
            f"Too short or too noisy to decide: {names}. Run for longer, or on a quieter machine."
        )
    if sentences or outcome(rows) != "pass":
        raise Inconclusive(" ".join(sentences) or "Nothing was measured, so there is no verdict.")


def limit_of(row: Row) -> str:
    """Format the right side of a row's threshold, such as `< 10 ms`."""
    return f"{row.operator} {_quantity(row.limit, row.unit)}"


def value_of(row: Row) -> str:
    """Format a row's measured value; "-" if it was not measured."""
    return "-" if row.measured is None else _quantity(row.measured, row.unit)


def interval_of(row: Row) -> str:
    """Format a row's interval; "" if it has none."""
    if row.low is None and row.high is None:
        return ""
    low = "below" if row.low is None else f"{_quantity(row.low, row.unit)} to"
    return f"{low} {_quantity(row.high, row.unit)}" if row.high is not None else f"{low} unknown"


def _quantity(value: float, unit: str) -> str:
    if unit == "ratio":
        return f"{100 * value:.4g} %"
    return f"{value:.4g}" if unit == "count" else f"{value:.4g} {unit}"


def _told(row: Row) -> str:
    return f"{row.metric} is {value_of(row)}, the limit is {limit_of(row)}"


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
        return "inconclusive", f"the load generator was not fast enough: {why}"
    if found.value is None:
        return "not measured", found.absence
    meets = _COMPARED[threshold.operator]
    low_meets, high_meets = meets(found.low, threshold.limit), meets(found.high, threshold.limit)
    if low_meets and high_meets:
        return "pass", ""
    if low_meets or high_meets:
        return "inconclusive", _unsure(threshold, found)
    floor_ms = _floor_ms(result.generator.floor, threshold)
    if floor_ms is not None and found.value < FLOOR_FACTOR * floor_ms:
        own = f"{FLOOR_FACTOR} times the load generator's own {floor_ms:.3g} ms"
        return "inconclusive", f"{found.value:.3g} ms is less than {own}"
    return "fail", ""


def _unsure(threshold: Threshold, found: Estimate) -> str:
    percent = threshold.percent
    needed = requests_needed(percent, threshold.confidence) if percent is not None else 0
    if found.requests < needed:
        return f"{found.requests} requests, {needed} are needed"
    if math.isinf(found.high):
        return "the run was too short for an interval"
    told = f"between {_quantity(found.low, threshold.unit)} and {_quantity(found.high, threshold.unit)}"
    told += f" at {threshold.confidence:g} %"
    if threshold.statistic == "failures.rate" and not found.value:
        needed = needed_without_failure(threshold.limit, threshold.confidence)
        return f"{told}; {needed} requests without a failure are needed"
    return told


def _floor_ms(floor: Floor | None, threshold: Threshold) -> float | None:
    """Return what the generator itself takes at a percentile, or at the next lower one that is known."""
    if floor is None or threshold.percent is None or threshold.source == "server":
        return None
    known = ((99.0, floor.p99_ms), (95.0, floor.p95_ms), (0.0, floor.p50_ms))
    return next(value for percent, value in known if threshold.percent >= percent)
