"""Repeated runs: what failed once never passes, and noise alone fails nobody."""

from __future__ import annotations

import pytest

from choirbook_perf import attempts, gate
from choirbook_perf.results import Row
from tests.perf.samples import row_of

SHORT = {"p": "pass", "f": "fail", "i": "inconclusive", "n": "not measured"}


def rows_of(outcomes: str) -> list[Row]:
    return [row_of(SHORT[each], measured=float(at)) for at, each in enumerate(outcomes, 1)]


@pytest.mark.parametrize(
    ("outcomes", "expected", "runs"),
    [
        ("p", "pass", 1),
        ("ff", "fail", 2),
        ("fp", "inconclusive", 2),
        ("fif", "fail", 3),
        ("fip", "inconclusive", 3),
        ("fii", "inconclusive", 3),
        ("fn", "inconclusive", 2),
        ("ip", "pass", 2),
        ("np", "pass", 2),
        ("ii", "inconclusive", 2),
        ("nn", "not measured", 2),
        ("iff", "fail", 3),
        ("ifp", "inconclusive", 3),
        ("ifi", "inconclusive", 3),
    ],
)
def test_a_row_is_asked_as_often_as_it_helps(outcomes: str, expected: str, runs: int) -> None:
    made = rows_of(outcomes)
    asked: list[int] = []

    def run(number: int) -> list[Row]:
        asked.append(number)
        return [made[number - 1]]

    (row,) = attempts.repeated(run)
    assert row.outcome == expected
    assert asked == list(range(1, runs + 1))


def test_nothing_that_failed_passes_whatever_else_happens() -> None:
    for first in SHORT:
        for second in SHORT:
            for third in SHORT:
                outcomes = first + second + third
                (row,) = attempts.combined([[one] for one in rows_of(outcomes)])
                if "f" in outcomes:
                    assert row.outcome == ("fail" if outcomes.count("f") > 1 else "inconclusive"), outcomes


def test_what_is_unknown_says_what_happened_in_which_run() -> None:
    (row,) = attempts.combined([[one] for one in rows_of("fp")])
    assert row.reason == "unknown: failed in run 1 with 1 ms, not confirmed by run 2: pass"
    (row,) = attempts.combined([[one] for one in rows_of("ff")])
    assert (row.reason, row.measured) == ("failed in 2 of 2 runs", 2.0)


def test_a_row_that_need_not_be_measured_causes_no_second_run() -> None:
    rows = [row_of("pass"), row_of("not measured", None, is_required=False)]
    assert gate.outcome(attempts.repeated(lambda _: rows)) == "pass"
    assert not attempts.is_another_needed([rows])


def test_each_row_is_judged_by_its_own_runs() -> None:
    runs = [
        [row_of("fail"), row_of("pass"), row_of("fail")],
        [row_of("pass"), row_of("fail"), row_of("fail")],
    ]
    found = attempts.repeated(lambda number: runs[number - 1])
    assert [row.outcome for row in found] == ["inconclusive", "inconclusive", "fail"]
