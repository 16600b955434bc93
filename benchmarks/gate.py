"""Whether Choirbook costs too much beside its floor, or the rounds scatter too much to say. Pure.

The median of a few rounds is not the median of all that could be run. The order statistics of
`choirbook_perf.gate` bound it: a case passes when all of its interval at 95 % is within the limit, fails when
none of it is, and is inconclusive otherwise.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from choirbook_perf.gate import ranks, requests_needed

MEDIAN = 0.5
ROUNDS_NEEDED = requests_needed(100 * MEDIAN)
"""With fewer rounds the interval has no ends."""

PASSED, FAILED, INCONCLUSIVE = 0, 1, 3
"""What the command ends with, as `choirbook perf` does."""


class Row(NamedTuple):
    """What is said of one case."""

    case: str
    ratio: float
    """The median of the rounds."""
    low: float
    high: float
    """The ratio lies between these at 95 %."""
    outcome: int


def judge(ratios: Mapping[str, Sequence[float]], limit: float) -> list[Row]:
    """Hold the cases to a limit.

    Args:
        ratios: By case, Choirbook's CPU per request by the floor's, of each round; at least `ROUNDS_NEEDED`.
        limit: What they may be at most.
    """
    return [_row(case, sorted(taken), limit) for case, taken in ratios.items()]


def _row(case: str, taken: Sequence[float], limit: float) -> Row:
    low_rank, high_rank = ranks(len(taken), MEDIAN)
    low, high = taken[low_rank - 1], taken[high_rank - 1]
    outcome = PASSED if high <= limit else FAILED if low > limit else INCONCLUSIVE
    return Row(case, statistics.median(taken), low, high, outcome)


def outcome_of(rows: Sequence[Row]) -> int:
    """Return what all rows come to: one failure fails, and one that cannot say leaves it open."""
    outcomes = {row.outcome for row in rows}
    return next((outcome for outcome in (FAILED, INCONCLUSIVE) if outcome in outcomes), PASSED)


def told(rows: Sequence[Row], limit: float) -> str:
    """Return what to say of the rows that did not pass, and of all when they did."""
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
