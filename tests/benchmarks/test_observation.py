import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gate import FAILED, INCONCLUSIVE, PASSED, ROUNDS_NEEDED
from benchmarks.observation import OFF, ON, VARIABLES, cost, judge, measure, observed, table
from benchmarks.requests import get_raw
from benchmarks.sampler import missing
from choirbook.settings import load
from choirbook_perf.peers import Sample

CHECKOUT = Path(__file__).resolve().parents[2]
LIMIT = 0.10


def taken(cpu_us: float) -> Sample:
    return Sample(cpu_us, 1e6 / cpu_us, 1.0, 2.0, 3.0, 1000)


def result(costs: list[float]) -> dict[str, Any]:
    samples = {OFF: [taken(20)._asdict()], ON: [taken(22)._asdict()]}
    return {"observed": ["metrics", "log"], "cases": [{"case": "GET", "costs": costs, "samples": samples}]}


def test_the_cost_is_the_share_of_requests_that_a_core_answers_no_longer() -> None:
    off, on = taken(20), taken(25)
    assert cost(off, on) == pytest.approx(1 - on.requests_per_s / off.requests_per_s)
    assert cost(off, off) == 0


@pytest.mark.parametrize(
    ("costs", "outcome"),
    [
        ([0.05] * ROUNDS_NEEDED, PASSED),
        ([0.2] * ROUNDS_NEEDED, FAILED),
        ([0.0, 0.3] * ROUNDS_NEEDED, INCONCLUSIVE),
    ],
)
def test_it_is_held_to_a_limit_by_what_the_rounds_can_say(costs: list[float], outcome: int) -> None:
    said, ended = judge(result(costs), LIMIT)
    assert ended == outcome
    assert "10%" in said
    assert ("GET" in said) == (outcome != PASSED)


def test_the_table_has_both_servers_and_what_was_on() -> None:
    text = table(result([0.05, 0.09, 0.1]))
    assert "metrics, log" in text
    for shown in ("20.0", "22.0", "50000", "45455", "9.0%", "(5.0% to 10.0%)"):
        assert shown in text


def test_the_two_servers_differ_in_what_is_observed() -> None:
    settings = {name: load(environment=variables) for name, variables in VARIABLES.items()}
    assert (settings[ON].metrics, settings[ON].access_log) == (True, True)
    assert (settings[OFF].metrics, settings[OFF].access_log) == (False, False)
    assert observed()[:2] == ["metrics", "log"]


@pytest.mark.skipif(bool(missing()), reason="needs wrk and two cores: scripts/install")
def test_the_cost_is_measured_on_real_servers() -> None:
    found = measure([get_raw()], rounds=1, load_s=1, connections=4)
    (case,) = found["cases"]
    assert {name: len(runs) for name, runs in case["samples"].items()} == {OFF: 1, ON: 1}
    assert all(run["requests"] > 0 for runs in case["samples"].values() for run in runs)
    assert "GET raw" in table(found)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--max-cost", "0.1"], "add --observation"),
        (["--observation", "--max-ratio", "1.5"], "omit --observation"),
        (["--observation", "--max-cost", "0.1", "--rounds", "2"], "rounds"),
    ],
)
def test_limits_that_do_not_fit_are_refused(flags: list[str], said: str) -> None:
    command = [sys.executable, "-m", "benchmarks.bench", *flags]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr
