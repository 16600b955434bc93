from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from choirbook_perf import comparable, compare, comparisons, run_files
from choirbook_perf.errors import BadInput, GateFailed, Inconclusive
from choirbook_perf.results import Result, save
from choirbook_perf.stats.decisions import Limits
from tests.perf.processes import perf
from tests.perf.samples import sample_result

LIMITS = Limits()


def runs(
    count: int, factor: float = 1.0, spread: float = 0.03, seed: int = 1, shape: float = 0.4, **made: int
) -> list[Result]:
    """Make runs of the same server: each has a level of its own, as real ones do."""
    dice = random.Random(f"{seed}|{factor}")  # noqa: S311 - a sample, no secret
    found = []
    for number in range(count):
        level = factor * dice.lognormvariate(0, spread)
        latencies_ms = [level * dice.lognormvariate(0, shape) for _ in range(800)]
        run = sample_result(latencies_ms, **made)
        found.append(msgspec.structs.replace(run, started=f"2026-11-23T08:{number:02}:0{seed}+00:00"))
    return found


def outcomes(old: Sequence[Result], new: Sequence[Result]) -> dict[str, str]:
    return {each.metric: each.outcome for each in compare.compare(old, new, LIMITS).findings}


def test_one_run_of_each_has_differences_and_no_verdict() -> None:
    found = compare.compare(runs(1), runs(1, factor=2.0), LIMITS)
    assert found.findings == []
    changes = {each.metric: each.change for each in found.differences}
    assert changes["p50_ms"] == pytest.approx(1, abs=0.3)
    with pytest.raises(Inconclusive, match="7 runs of each"):
        comparisons.check(found)


def test_sets_of_slower_runs_are_slower() -> None:
    found = compare.compare(runs(8), runs(8, factor=1.3, seed=2), LIMITS)
    assert {each.metric: each.outcome for each in found.findings}["p50_ms"] == "slower"
    with pytest.raises(GateFailed, match=r"p50_ms \+"):
        comparisons.check(found)


def test_runs_of_the_same_server_differ_without_a_verdict() -> None:
    # As single runs with their requests as samples, most of these pairs would differ significantly.
    for seed in range(15):
        found = outcomes(runs(7, seed=seed, spread=0.15), runs(7, seed=seed + 100, spread=0.15))
        assert not {"slower", "faster"} & set(found.values()), seed


def test_calm_sets_are_the_same() -> None:
    found = compare.compare(runs(8, spread=0.001, shape=0), runs(8, seed=2, spread=0.001, shape=0), LIMITS)
    assert {each.metric: each.outcome for each in found.findings}["p50_ms"] == "same"
    comparisons.check(msgspec.structs.replace(found, findings=found.findings[:1]))


def test_too_few_runs_say_how_many_more_are_needed() -> None:
    (found, *_) = compare.compare(runs(3), runs(4, seed=2), LIMITS).findings
    assert (found.outcome, found.size, found.more) == ("unknown", 3, 3)


def test_processor_time_per_request_comes_first_where_servers_tell_it() -> None:
    def told(run: Result, cpu_s: float) -> Result:
        counter = "process_cpu_seconds_total"
        return msgspec.structs.replace(run, server_before={counter: 1.0}, server_after={counter: 1.0 + cpu_s})

    old = [told(each, 0.08) for each in runs(7)]
    new = [told(each, 0.08) for each in runs(7, seed=2)]
    found = compare.compare(old, new, LIMITS)
    assert found.findings[0].metric == "cpu_us"
    assert found.findings[0].outcome == "same"
    assert found.differences[0].old == pytest.approx(100, rel=0.01)


def test_failures_of_the_new_runs_alone_fail() -> None:
    found = compare.compare(runs(6), runs(6, seed=2, failures=1), LIMITS)
    with pytest.raises(GateFailed, match="6 requests failed in the new runs"):
        comparisons.check(found)


def test_runs_whose_generator_was_too_slow_decide_nothing() -> None:
    (bad, *others) = runs(8, factor=1.5, seed=2)
    generator = msgspec.structs.replace(bad.generator, is_valid=False, reasons=["It was starved."])
    bad = msgspec.structs.replace(bad, generator=generator)
    with pytest.raises(Inconclusive, match="It was starved"):
        comparisons.check(compare.compare(runs(8), [bad, *others], LIMITS))


def test_sets_that_were_not_made_in_turns_are_pointed_out() -> None:
    def at(hour: int) -> list[Result]:
        return [
            msgspec.structs.replace(each, started=f"2026-11-23T{hour:02}:00:00+00:00") for each in runs(6)
        ]

    assert "in turns" in compare.compare(at(8), at(9), LIMITS).warnings[0]
    assert not compare.compare(runs(6), runs(6, seed=2), LIMITS).warnings


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("protocol", "protocol is 'http' and 'mcp'"),
        ("era", "era is '' and 'modern'"),
        ("tasks", "tasks: none and 3 x sdlc"),
        ("workers", "workers is '1' and '2'"),
        ("TTL", "TTL is '2' and '300'"),
        ("injected delay", "injected delay is 0.0 and 5.0"),
        ("versions", "versions: granian 2.8.7 and 2.9.0"),
        ("machine", "machine is this .*and other"),
        ("users", "users is 10 and 500"),
    ],
)
def test_runs_that_differ_in_more_than_the_server_are_refused_by_name(name: str, told: str) -> None:
    old, new = _run(), _run(changed=name)
    with pytest.raises(BadInput, match=told):
        comparable.check([old, new], [])
    comparable.check([old, new], [name])


def test_all_that_differs_is_named_at_once() -> None:
    with pytest.raises(BadInput, match=r"protocol is .*; workers is .*; machine is "):
        comparable.check([_run(), _run(changed="protocol,workers,machine")], [])


def test_a_condition_to_ignore_must_exist() -> None:
    with pytest.raises(BadInput, match="--despite 'machines' is no condition"):
        comparable.check([_run(), _run()], ["machines"])


def _run(changed: str = "") -> Result:
    """Make a run under usual conditions, or with some of them changed."""
    names = changed.split(",")
    run = sample_result([1.0] * 400)
    one, two = {"granian": "2.8.7", "choirbook": "1"}, {"granian": "2.9.0", "choirbook": "2"}
    settings = {
        "workers": "2" if "workers" in names else "1",
        "CACHE_TTL": "300" if "TTL" in names else "2",
    }
    scenario = {
        **run.scenario,
        "users": 500 if "users" in names else 10,
        "inject_delay_ms": 5.0 if "injected delay" in names else 0.0,
        "tasks": [{"name": "sdlc", "weight": 3}] if "tasks" in names else [],
    }
    return msgspec.structs.replace(
        run,
        scenario=scenario,
        target=msgspec.structs.replace(
            run.target,
            protocol="mcp" if "protocol" in names else "http",
            era="modern" if "era" in names else "",
            settings=settings,
        ),
        environment=msgspec.structs.replace(
            run.environment,
            versions=two if "versions" in names else one,
            machine="other" if "machine" in names else "this",
        ),
    )


def test_directories_stand_for_the_runs_in_them(tmp_path: Path) -> None:
    save(sample_result([1.0] * 400), tmp_path / "one" / "result.json")
    save(sample_result([1.0] * 400), tmp_path / "two" / "result.json")
    assert run_files.load(tmp_path / "one").requests() == 400
    assert len(run_files.load_set([tmp_path])) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="has no result of a run"):
        run_files.load_set([tmp_path / "empty"])


def test_a_result_of_another_command_is_refused(tmp_path: Path) -> None:
    save(msgspec.structs.replace(sample_result([1.0]), kind="peers"), tmp_path / "result.json")
    with pytest.raises(BadInput, match="perf peers"):
        run_files.load(tmp_path)


def test_the_command_takes_sets_and_says_it_in_json_and_by_its_exit_code(tmp_path: Path) -> None:
    for name, made in (("old", runs(7)), ("new", runs(7, factor=1.5, seed=2))):
        for number, run in enumerate(made):
            save(run, tmp_path / name / f"{number}" / "result.json")
    old, new = ([tmp_path / name / f"{number}" for number in range(7)] for name in ("old", "new"))
    done = perf("compare", "--json", *old, "--", *new)
    assert done.returncode == 1
    told = msgspec.json.decode(done.stdout)
    assert {each["metric"]: each["outcome"] for each in told["findings"]}["p50_ms"] == "slower"
    shown = perf("compare", tmp_path / "old", tmp_path / "new")
    assert shown.returncode == 1
    assert "slower" in shown.stdout
    single = perf("compare", old[0], new[0])
    assert single.returncode == 3
    assert "p50_ms" in single.stdout
    assert perf("compare", *old, *new).returncode == 2


def test_baselines_are_kept_by_machine_and_compared_by_name(tmp_path: Path) -> None:
    for number, run in enumerate(runs(6)):
        save(run, tmp_path / "runs" / f"{number}.json")
    save(_elsewhere(runs(1)[0]), tmp_path / "elsewhere.json")
    saved = perf("baseline", "save", "main", tmp_path / "runs", tmp_path / "elsewhere.json", cwd=tmp_path)
    assert saved.returncode == 0
    assert len(saved.stdout.splitlines()) == 7
    listed = msgspec.json.decode(perf("baseline", "list", "--json", cwd=tmp_path).stdout)
    assert {(each["name"], each["machine"], each["runs"]) for each in listed} == {
        ("main", "this", 6),
        ("main", "other", 1),
    }
    done = perf("compare", "--json", "main", tmp_path / "runs", cwd=tmp_path)
    told = msgspec.json.decode(done.stdout)
    assert (told["old_runs"], told["new_runs"]) == (6, 6)
    assert perf("baseline", "save", "../main", tmp_path / "runs", cwd=tmp_path).returncode == 2
    assert perf("compare", "none", tmp_path / "runs", cwd=tmp_path).returncode == 2


def _elsewhere(run: Result) -> Result:
    return msgspec.structs.replace(run, environment=msgspec.structs.replace(run.environment, machine="other"))
