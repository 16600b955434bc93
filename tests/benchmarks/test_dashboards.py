import subprocess
import sys

import msgspec
import pytest

from benchmarks.dashboards import LIMIT, PAGE, Result, Turn, judge, kept, table, with_table
from benchmarks.gate import FAILED, INCONCLUSIVE, PASSED, ROUNDS_NEEDED
from benchmarks.sampler import missing
from tests.support.servers import DEADLINE_S, REPOSITORY


def measured(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.dashboards", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=4 * DEADLINE_S,
        check=False,
    )


@pytest.mark.skipif(bool(missing()), reason="needs two cores")
def test_pages_are_opened_told_and_measured() -> None:
    done = measured("--dashboards", "2", "--rounds", "1", "--seconds", "3", "--rate", "50", "--json")
    assert done.returncode == 0, done.stderr
    result = msgspec.json.decode(done.stdout, type=Result)
    (closed,), (opened,) = result.closed, result.open
    assert closed.ticks == 0
    assert opened.ticks >= 2, "each page was told something"
    assert closed.cpu >= 0
    assert opened.cpu > 0
    assert result.environment.cores >= 1


def test_the_cost_is_what_comes_on_top_in_each_pair() -> None:
    closed, opened = Turn(0.10, 300.0, 0), Turn(0.115, 300.0, 100)
    result = msgspec.structs.replace(kept(), closed=[closed] * 2, open=[opened, closed])
    assert result.costs == pytest.approx([0.015, 0.0])
    for shown in ("10.00%", "10.75%", "0.75% (0.00% to 1.50%)"):
        assert shown in table(result)


def test_the_page_shows_the_kept_result_which_is_within_the_limit() -> None:
    page = PAGE.read_text("utf-8")
    assert with_table(page, kept()) == page, "run: task perf:dashboards -- --chromium --keep"
    assert judge(kept(), LIMIT)[1] == PASSED
    assert kept().dashboards == 10


@pytest.mark.parametrize(
    ("costs", "outcome"),
    [
        ([0.01] * ROUNDS_NEEDED, PASSED),
        ([0.03] * ROUNDS_NEEDED, FAILED),
        ([0.0, 0.05] * ROUNDS_NEEDED, INCONCLUSIVE),
    ],
)
def test_a_limit_is_held_by_what_the_rounds_can_say(costs: list[float], outcome: int) -> None:
    closed = [Turn(0.1, 300.0, 0)] * len(costs)
    opened = [Turn(0.1 + cost, 300.0, 100) for cost in costs]
    said, ended = judge(msgspec.structs.replace(kept(), closed=closed, open=opened), LIMIT)
    assert ended == outcome
    assert "2.0% is allowed" in said


@pytest.mark.parametrize(
    "arguments", [("--rounds", "0"), ("--dashboards", "0"), ("--rounds", "2", "--max-cost", "0.02")]
)
def test_figures_that_make_no_sense_are_refused(arguments: tuple[str, ...]) -> None:
    done = measured(*arguments)
    assert done.returncode == 2
    assert "usage" in done.stderr
