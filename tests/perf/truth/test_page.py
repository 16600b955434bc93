"""The page on the generator says what was kept."""

from __future__ import annotations

import pytest

from tests.perf.truth import kept
from tests.perf.truth.page import PAGE, TEMPLATE, render


def test_page_is_what_the_kept_figures_make() -> None:
    assert PAGE.read_text("utf-8") == render(TEMPLATE.read_text("utf-8"))


def test_a_table_that_nothing_makes_is_an_error() -> None:
    with pytest.raises(KeyError, match="seven"):
        render("{{ seven }}")


def test_the_kept_figures_are_right() -> None:
    latencies, failures = kept.load("latencies", kept.Latencies), kept.load("counts", kept.Failures)
    starved = kept.load("starved", kept.Starvation)
    assert latencies
    assert failures
    assert starved
    assert [case for case in latencies.cases if not (case.is_valid and case.is_within())] == []
    assert [case for case in failures.cases if not case.is_exact()] == []
    assert {run.exit_code for run in starved.runs} == {3}
    assert len(starved.runs) >= 40


def test_all_six_cases_were_wrong_and_are_right() -> None:
    before, now = kept.load("six-before", kept.Six), kept.load("six", kept.Six)
    assert before
    assert now
    assert [told for case in before.cases for told in case.told if told.is_right] == []
    assert [told for case in now.cases for told in case.told if not told.is_right] == []
