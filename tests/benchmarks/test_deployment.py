import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.deployment import ALONE, LIMITS, REDIS, WORKERS, judge, measure, table
from benchmarks.gate import FAILED, INCONCLUSIVE, PASSED, ROUNDS_NEEDED
from benchmarks.requests import get_raw
from benchmarks.sampler import missing
from choirbook_perf.peers import Sample

CHECKOUT = Path(__file__).resolve().parents[2]
KEPT = CHECKOUT / "docs" / "reliability" / "deployment.json"


def result(redis: list[float], workers: list[float]) -> dict[str, Any]:
    sample = Sample(40.0, 25_000.0, 1.0, 2.0, 3.0, 1000)._asdict()
    samples = {name: [sample] for name in (ALONE, REDIS, WORKERS)}
    return {"cases": [{"case": "GET", "ratios": {REDIS: redis, WORKERS: workers}, "samples": samples}]}


@pytest.mark.parametrize(
    ("redis", "workers", "outcome"),
    [
        ([1.0] * ROUNDS_NEEDED, [1.04] * ROUNDS_NEEDED, PASSED),
        ([1.04] * ROUNDS_NEEDED, [1.0] * ROUNDS_NEEDED, FAILED),
        ([1.0] * ROUNDS_NEEDED, [1.06] * ROUNDS_NEEDED, FAILED),
        ([0.9, 1.2] * ROUNDS_NEEDED, [1.0] * ROUNDS_NEEDED, INCONCLUSIVE),
    ],
)
def test_each_way_to_deploy_is_held_to_a_limit_of_its_own(
    redis: list[float], workers: list[float], outcome: int
) -> None:
    said, ended = judge(result(redis, workers))
    assert ended == outcome
    assert REDIS in said
    assert WORKERS in said


def test_the_table_has_each_server_and_its_limit() -> None:
    lines = table(result([1.01], [1.02])).splitlines()
    assert [line.split()[-1] for line in lines[2:]] == ["1.03", "1.05"]
    assert "1.010" in lines[2]


def test_what_was_kept_is_within_the_limits() -> None:
    for case in json.loads(KEPT.read_bytes())["cases"]:
        for name, limit in LIMITS.items():
            assert statistics.median(case["ratios"][name]) <= limit


@pytest.mark.skipif(bool(missing()), reason="needs wrk and two cores: scripts/install")
@pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server: scripts/install")
def test_the_costs_are_measured_on_real_servers() -> None:
    (case,) = measure([get_raw()], rounds=2, load_s=1, connections=4)["cases"]
    assert {name: len(runs) for name, runs in case["samples"].items()} == {ALONE: 2, REDIS: 2, WORKERS: 2}
    assert {name: len(ratios) for name, ratios in case["ratios"].items()} == {REDIS: 2, WORKERS: 2}
    assert all(run["requests"] > 0 for runs in case["samples"].values() for run in runs)


@pytest.mark.parametrize("flag", ["--observation", "--max-ratio=1.2"])
def test_two_comparisons_at_once_are_refused(flag: str) -> None:
    command = [sys.executable, "-m", "benchmarks.bench", "--deployment", flag]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "omit the other comparisons" in done.stderr
