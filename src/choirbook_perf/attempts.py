"""One verdict from repeated runs: repetition may confirm a failure, never remove it. Pure.

A run beside a busy neighbour fails now and then, so a failure is asked for once more. What failed twice
failed. What failed once and then did not is unknown: neither red by noise, nor green because somebody asked
until it passed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from choirbook_perf.gate import is_undecided, value_of
from choirbook_perf.results import Row

MAX_ATTEMPTS = 3


def repeated(run: Callable[[int], list[Row]]) -> list[Row]:
    """Run until each row is decided, or more runs would not help.

    Args:
        run: Called with the number of the attempt, from 1; returns its verdict.

    Returns:
        The verdict over all attempts.
    """
    attempts: list[list[Row]] = []
    while len(attempts) < MAX_ATTEMPTS and is_another_needed(attempts):
        attempts.append(run(len(attempts) + 1))
    return combined(attempts)


def is_another_needed(attempts: Sequence[Sequence[Row]]) -> bool:
    """Return whether another run could decide a row.

    A second one confirms a failure, or answers what the first could not. A third is for a failure whose
    repetition could not be decided.
    """
    if len(attempts) < 2:  # noqa: PLR2004
        return not attempts or any(row.outcome == "fail" or is_undecided(row) for row in attempts[0])
    return any(
        sorted(row.outcome for row in rows) == ["fail", "inconclusive"]
        for rows in zip(*attempts, strict=True)
    )


def combined(attempts: Sequence[Sequence[Row]]) -> list[Row]:
    """Return one row for each threshold, from its rows in all attempts."""
    return [_combined(rows) for rows in zip(*attempts, strict=True)]


def _combined(rows: Sequence[Row]) -> Row:
    failed = [number for number, row in enumerate(rows, 1) if row.outcome == "fail"]
    if len(rows) == 1:
        return rows[0]
    if len(failed) > 1:
        return msgspec.structs.replace(
            rows[failed[-1] - 1], reason=f"failed in {len(failed)} of {len(rows)} runs"
        )
    if failed:
        once = rows[failed[0] - 1]
        others = ", ".join(
            f"run {number}: {row.outcome}" for number, row in enumerate(rows, 1) if row is not once
        )
        reason = f"unknown: failed in run {failed[0]} with {value_of(once)}, not confirmed by {others}"
        return msgspec.structs.replace(rows[-1], outcome="inconclusive", reason=reason)
    passed = [row for row in rows if row.outcome == "pass"]
    return passed[-1] if passed else rows[-1]
