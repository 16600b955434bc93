"""The page on the generator says what was kept, and what was kept is right."""

from __future__ import annotations

import pytest

from tests.perf.truth import kept, knee, turns
from tests.perf.truth.page import PAGE, TEMPLATE, render


def test_page_is_what_the_kept_figures_make() -> None:
    assert PAGE.read_text("utf-8") == render(TEMPLATE.read_text("utf-8"))


def test_a_table_that_nothing_makes_is_an_error() -> None:
    with pytest.raises(KeyError, match="seven"):
        render("{{ seven }}")


def test_all_six_cases_were_wrong_before() -> None:
    found = kept.load("six-before", kept.Six)
    assert found
    assert [told for case in found.cases for told in case.told if told.is_right] == []
    assert len(found.cases) == 6


def test_every_kept_count_is_exact() -> None:
    found = kept.load("counts", kept.Failures)
    assert found
    assert [case for case in found.cases if not case.is_exact()] == []
    assert sum(case.truly_failed for case in found.cases) > 1000


def wrong() -> list[object]:
    """Return kept figures that are wrong; figures that nobody kept yet are none, and the page says so."""
    found: list[object] = []
    if six := kept.load("six", kept.Six):
        found += [told for case in six.cases for told in case.told if not told.is_right]
    if latencies := kept.load("latencies", kept.Latencies):
        found += [case for case in latencies.cases if not (case.is_valid and case.is_within())]
    if starved := kept.load("starved", kept.Starvation):
        found += [run for run in starved.runs if run.exit_code != 3]
    if beside := kept.load("turns", kept.Turns):
        by_rate = {rate: [turn for turn in beside.turns if turn.rate == rate] for rate in turns.RATES}
        found += [at for at in by_rate.values() if turns.ratio(at) > turns.LIMIT]
    if knees := kept.load("knee", kept.Knees):
        found += [each for each in knees.knees if not each.is_within()]
    return found


def test_no_kept_figure_is_wrong() -> None:
    assert wrong() == []
    assert knee.TRUE_RATE == 500
