"""Outcome of a verdict: pass, fail or inconclusive, and its rows as text. Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from choirbook_perf.errors import GateFailed, Inconclusive
from choirbook_perf.results import Row

INVALID = "the load generator was not fast enough"
"""Beginning of the reason of every row of a run whose generator was not valid."""

COMPARED: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}


def meets_limit(row: Row) -> bool:
    """Return whether the measured figure itself, without its interval, meets the limit."""
    return row.measured is not None and COMPARED[row.operator](row.measured, row.limit)


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
    return f"{row.operator} {quantity(row.limit, row.unit)}"


def value_of(row: Row) -> str:
    """Format a row's measured value; "-" if it was not measured."""
    return "-" if row.measured is None else quantity(row.measured, row.unit)


def interval_of(row: Row) -> str:
    """Format a row's interval; "" if it has none."""
    if row.low is None and row.high is None:
        return ""
    low = "below" if row.low is None else f"{quantity(row.low, row.unit)} to"
    return f"{low} {quantity(row.high, row.unit)}" if row.high is not None else f"{low} unknown"


def quantity(value: float, unit: str) -> str:
    """Format a value with its unit; a ratio as a percentage."""
    if unit == "ratio":
        return f"{100 * value:.4g} %"
    return f"{value:.4g}" if unit == "count" else f"{value:.4g} {unit}"


def _told(row: Row) -> str:
    return f"{row.metric} is {value_of(row)}, the limit is {limit_of(row)}"
