from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from choirbook_perf import compare
from choirbook_perf.errors import BadInput, GateFailed, Inconclusive
from choirbook_perf.results import save
from tests.perf.processes import perf
from tests.perf.samples import sample_result


def _drawn(seed: int, total: int = 2000, factor: float = 1.0) -> list[float]:
    drawn = random.Random(seed)  # noqa: S311 - a sample, no secret
    return [factor * drawn.lognormvariate(0, 0.5) for _ in range(total)]


def _changes(old: list[float], new: list[float], margin: float = 0.1) -> dict[str, compare.Change]:
    found = compare.compare(sample_result(old), sample_result(new), margin)
    return {change.metric: change for change in found}


def test_a_shift_that_is_there_is_found() -> None:
    changes = _changes(_drawn(1), _drawn(2, factor=1.3))
    for metric in ("p50_ms", "p95_ms", "p99_ms", "hit_p95_ms"):
        assert changes[metric].verdict == "worse", metric
        assert changes[metric].low <= changes[metric].difference <= changes[metric].high
    assert changes["p50_ms"].is_regression
    with pytest.raises(GateFailed, match="p50_ms"):
        compare.check(list(changes.values()), 0.1)


def test_a_shift_within_the_margin_is_no_regression() -> None:
    changes = _changes(_drawn(1), _drawn(2, factor=1.3), margin=0.6)
    assert changes["p50_ms"].verdict == "worse"
    assert not any(change.is_regression for change in changes.values())
    compare.check(list(changes.values()), 0.6)


def test_a_faster_run_is_better() -> None:
    assert _changes(_drawn(1), _drawn(2, factor=0.7))["p50_ms"].verdict == "better"


def test_where_no_shift_is_none_is_a_regression() -> None:
    for seed in range(20):
        changes = _changes(_drawn(seed), _drawn(seed + 1000))
        assert not any(change.is_regression for change in changes.values())


def test_a_run_is_no_different_from_itself() -> None:
    samples = _drawn(1)
    assert {change.verdict for change in _changes(samples, samples).values()} == {"no difference"}


def test_failures_are_a_regression() -> None:
    old, new = sample_result([1.0] * 400), sample_result([1.0] * 400, failures=40)
    changes = {change.metric: change for change in compare.compare(old, new, 0.1)}
    assert changes["failure_ratio"].is_regression


def test_fewer_answers_a_second_are_a_regression() -> None:
    old, new = sample_result([1.0] * 400, per_second=100), sample_result([1.0] * 400, per_second=50)
    changes = {change.metric: change for change in compare.compare(old, new, 0.1)}
    assert changes["requests_per_s"].is_regression
    assert not compare.compare(new, old, 0.1)[-2].is_regression


def test_too_few_requests_say_nothing() -> None:
    changes = _changes([1.0] * 20, [100.0] * 20)
    assert changes["p50_ms"].is_regression
    assert changes["p99_ms"].verdict == "inconclusive"
    with pytest.raises(Inconclusive, match="299 are needed"):
        compare.check([changes["p99_ms"]], 0.1)


def test_runs_of_different_loads_are_refused() -> None:
    old = sample_result([1.0] * 400)
    new = msgspec.structs.replace(old, scenario={**old.scenario, "users": 500})
    with pytest.raises(BadInput, match="users is 10 and 500"):
        compare.check_comparable(old, new, across_machines=False)


def test_a_directory_of_a_run_stands_for_its_result(tmp_path: Path) -> None:
    save(sample_result([1.0] * 400), tmp_path / "result.json")
    assert compare.load(tmp_path).requests() == 400


def test_a_result_of_another_command_is_refused(tmp_path: Path) -> None:
    save(msgspec.structs.replace(sample_result([1.0]), kind="peers"), tmp_path / "result.json")
    with pytest.raises(BadInput, match="perf peers"):
        compare.load(tmp_path)


def test_the_command_says_it_in_json_and_by_its_exit_code(tmp_path: Path) -> None:
    save(sample_result(_drawn(1)), tmp_path / "old.json")
    save(sample_result(_drawn(2, factor=1.3)), tmp_path / "new.json")
    done = perf("compare", tmp_path / "old.json", tmp_path / "new.json", "--json")
    assert done.returncode == 1
    told = msgspec.json.decode(done.stdout)
    assert "p50_ms" in told["regressions"]
    assert perf("compare", tmp_path / "old.json", tmp_path / "old.json").returncode == 0
