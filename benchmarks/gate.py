"""Verdict on Choirbook's cost relative to its floor: passed, failed or inconclusive. Pure.

The median of a few rounds is not the median of all possible rounds. The order statistics of
`choirbook_perf.gate` bound it: a case passes if all of its interval at 95 % is within the limit, fails if
none of it is, and is inconclusive otherwise.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from choirbook_perf.intervals.order import ranks, requests_needed

MEDIAN = 0.5
ROUNDS_NEEDED = requests_needed(100 * MEDIAN)
"""Minimum number of rounds for an interval with two ends."""

PASSED, FAILED, INCONCLUSIVE = 0, 1, 3
"""Exit status, as in `choirbook perf`."""


class Row(NamedTuple):
    """Verdict on one case."""

    case: str
    ratio: float
    """Median of the rounds."""
    low: float
    high: float
    """Upper bound of the ratio at 95 %; `low` is the lower one."""
    outcome: int


def judge(ratios: Mapping[str, Sequence[float]], limit: float) -> list[Row]:
    """Compare the cases with a limit.

    Args:
        ratios: By case, the ratio of Choirbook's CPU per request to the floor's in each round; at least
            `ROUNDS_NEEDED`.
        limit: Maximum of the ratios.
    """
    return [_row(case, sorted(taken), limit) for case, taken in ratios.items()]


def _row(case: str, taken: Sequence[float], limit: float) -> Row:
    low_rank, high_rank = ranks(len(taken), MEDIAN)
    low, high = taken[low_rank - 1], taken[high_rank - 1]
    outcome = PASSED if high <= limit else FAILED if low > limit else INCONCLUSIVE
    return Row(case, statistics.median(taken), low, high, outcome)


def outcome_of(rows: Sequence[Row]) -> int:
    """Return the exit status for all rows: one failure fails, and an inconclusive row leaves it open."""
    outcomes = {row.outcome for row in rows}
    return next((outcome for outcome in (FAILED, INCONCLUSIVE) if outcome in outcomes), PASSED)


def told(rows: Sequence[Row], limit: float) -> str:
    """Return the message for the rows that did not pass, or for all if they did."""
    lines = [_told(row, limit) for row in rows if row.outcome != PASSED]
    return "\n".join(lines or [f"All {len(rows)} cases cost at most {limit:g} times their floor."])


def _told(row: Row, limit: float) -> str:
    found = f"{row.case}: {row.ratio:.2f} times its floor, between {row.low:.2f} and {row.high:.2f} at 95 %"
    if row.outcome == FAILED:
        return f"{found}, where {limit:g} is allowed. Find where the time goes with: choirbook perf profile"
    return (
        f"{found}: too noisy to decide whether it is within {limit:g}. Run more rounds, or on a quieter "
        "machine."
    )
