"""Percentiles of `choirbook perf test` are an independent client's; a starved generator says that it is.

These tests measure milliseconds, so they run alone. If the machine disturbs three attempts in a row, as the
independent client saw too, they hold the generator to the other half of its promise: it gives no verdict, and
says why. A refusal on a machine that disturbed nobody else fails.
`python -m tests.perf.truth accuracy` runs all cases at full length, `python -m tests.perf.truth starved`
twenty runs of each kind.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.perf.truth.accuracy import Case, accuracy, closed_load, open_load
from tests.perf.truth.runs import Observed, observe
from tests.perf.truth.starving import SLO, starved, stopped


def is_refused(seen: Observed) -> bool:
    """Return whether a run was rightly refused: the independent client was disturbed as well."""
    report = seen.report
    if report.generator["is_valid"]:
        return False
    assert seen.was_disturbed(), report.generator["reasons"]
    assert report.exit_code == 3, report.stderr
    assert report.generator["reasons"]
    return True


_STALL = ("stall", "for_s=0.4", "every_s=2")
_IMPATIENT = closed_load(4, users=10, think_time="0.02-0.04")


@pytest.mark.parametrize(
    "case",
    [
        Case("bimodal", ("bimodal",), open_load(3)),
        Case("trickle", ("trickle",), closed_load(3)),
        Case("stall", _STALL, open_load(4)),
    ],
    ids=lambda case: case.name,
)
def test_every_percentile_is_that_of_an_independent_client(case: Case) -> None:
    made, seen = accuracy(case)
    assert is_refused(seen) or made.is_within(), made


def test_users_who_were_held_back_are_reported_and_corrected_for() -> None:
    seen = observe(*_STALL, load=_IMPATIENT, rate=100)
    if is_refused(seen):
        return
    raw, corrected, true = (
        seen.report.percentile_ms(95),
        seen.report.percentile_ms(95, "corrected_counts"),
        seen.truth_ms()["p95"],
    )
    assert raw < true / 3, "the raw figure is to show the omission that is corrected"
    assert true / 2 <= corrected <= true * 2
    assert seen.report.generator["held_back"] > 0
    assert re.search(r"held back", seen.report.stdout + seen.report.stderr)


@pytest.fixture
def load(tmp_path: Path) -> list[str | Path]:
    """Return options of a load that fails if a pause of the generator is taken for the server's."""
    slo = tmp_path / "slo.toml"
    slo.write_text(SLO, "utf-8")
    return [*open_load(3), "--slo", slo]


def test_a_generator_beside_busy_loops_gives_no_verdict(load: list[str | Path]) -> None:
    seen = starved(load)
    assert seen.report.exit_code == 3, seen.report.stderr
    assert not seen.report.generator["is_valid"]


def test_a_generator_that_was_stopped_for_200_ms_gives_no_verdict(load: list[str | Path]) -> None:
    seen = stopped(load, after_requests=400)
    assert seen.report.exit_code == 3, seen.report.stderr
    assert seen.report.generator["reasons"], seen.report.generator
