"""A generator that is stopped or starved says so: exit 3, never a verdict about the server. Runs alone."""

from __future__ import annotations

from tests.perf.truth import starving
from tests.perf.truth.runs import Report

LOAD = ["--rate", "100", "--run-time", "4s"]


def _reasons(report: Report) -> str:
    assert report.exit_code == 3, report.stderr
    assert report.result is not None
    generator = report.result["generator"]
    assert not generator["is_valid"]
    assert {row["outcome"] for row in report.result["verdict"]} == {"inconclusive"}
    return " ".join(generator["reasons"])


def test_a_generator_that_was_stopped_for_200_ms_is_invalid() -> None:
    # The warm-up has 200 requests.
    report = starving.stopped([*LOAD], after_requests=300).report
    assert "stood still" in _reasons(report)
    assert "stood still" in report.stderr


def test_a_generator_that_is_starved_by_two_busy_loops_is_invalid() -> None:
    assert _reasons(starving.starved([*LOAD]).report)
