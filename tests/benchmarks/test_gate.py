import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.gate import FAILED, INCONCLUSIVE, PASSED, ROUNDS_NEEDED, Row, judge, outcome_of, told
from benchmarks.sampler import missing

CHECKOUT = Path(__file__).resolve().parents[2]
LIMIT = 1.6

ratios = st.lists(st.floats(0.5, 5), min_size=ROUNDS_NEEDED, max_size=40)
rows = st.lists(
    st.builds(
        Row, st.just("GET"), *[st.just(1.0)] * 3, outcome=st.sampled_from([PASSED, FAILED, INCONCLUSIVE])
    )
)


def judged(*taken: float) -> Row:
    (row,) = judge({"GET": taken}, LIMIT)
    return row


@given(ratios)
def test_a_median_is_never_passed_beyond_the_limit_or_failed_within(taken: list[float]) -> None:
    row = judged(*taken)
    assert row.low <= row.ratio <= row.high
    assert row.outcome != PASSED or row.ratio <= LIMIT
    assert row.outcome != FAILED or row.ratio > LIMIT


@given(ratios)
def test_the_order_of_the_rounds_does_not_matter(taken: list[float]) -> None:
    assert judged(*taken) == judged(*reversed(taken)) == judged(*sorted(taken))


@pytest.mark.parametrize(
    ("taken", "outcome"),
    [
        ((1.1, 1.2, 1.2, 1.3, 1.6), PASSED),
        ((1.7, 1.8, 1.9, 2.0, 9.0), FAILED),
        ((1.1, 1.2, 1.2, 1.3, 1.7), INCONCLUSIVE),
        ((1.5, 1.8, 1.9, 2.0, 2.1), INCONCLUSIVE),
        ((1.1, 1.1, 1.2, 1.2, 1.2, 1.3, 1.4, 9.0), PASSED),
    ],
    ids=["all within", "all beyond", "one of five beyond", "one of five within", "one of eight beyond"],
)
def test_rounds_that_scatter_over_the_limit_cannot_say(taken: tuple[float, ...], outcome: int) -> None:
    assert judged(*taken).outcome == outcome


@given(rows)
def test_a_failure_outweighs_what_cannot_be_said_and_that_what_passed(made: list[Row]) -> None:
    outcomes = [row.outcome for row in made]
    expected = FAILED if FAILED in outcomes else INCONCLUSIVE if INCONCLUSIVE in outcomes else PASSED
    assert outcome_of(made) == expected


def test_the_rows_that_did_not_pass_are_named() -> None:
    slow, steady, noisy = [2.0] * 5, [1.2] * 5, [1.2, 1.2, 1.2, 1.2, 3.0]
    said = told(judge({"slow": slow, "steady": steady, "noisy": noisy}, LIMIT), LIMIT)
    assert "slow: 2.00 times its floor, between 2.00 and 2.00" in said
    assert "noisy: 1.20 times its floor, between 1.20 and 3.00 at 95 %: too noisy" in said
    assert "steady" not in said
    assert told(judge({"steady": steady}, LIMIT), LIMIT) == "All 1 cases cost at most 1.6 times their floor."


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.bench", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.skipif(bool(missing()), reason=f"cannot measure: {missing()}")
def test_a_ratio_that_nothing_could_keep_fails_the_run_with_its_row() -> None:
    done = bench("--case", "GET raw", "--rounds", "5", "--seconds", "1", "--max-ratio", "0.01")
    assert done.returncode == 1, done.stderr
    assert "GET raw" in done.stdout
    assert "where 0.01 is allowed" in done.stderr


def test_too_few_rounds_for_a_verdict_are_refused() -> None:
    done = bench("--rounds", "4", "--max-ratio", "1.6")
    assert done.returncode == 2
    assert "at least 5 rounds" in done.stderr


@pytest.mark.parametrize(
    ("statuses", "expected", "asked"),
    [
        ((0,), 0, 1),
        ((1, 1), 1, 2),
        ((1, 0), 3, 2),
        ((1, 3, 1), 1, 3),
        ((1, 3, 0), 3, 3),
        ((1, 3, 3), 3, 3),
        ((2,), 2, 1),
        ((3, 0), 0, 2),
        ((3, 3), 3, 2),
        ((3, 1, 1), 1, 3),
        ((3, 1, 0), 3, 3),
        ((3, 4), 4, 2),
    ],
)
def test_a_failure_is_red_when_confirmed_and_never_passes(
    tmp_path: Path, statuses: tuple[int, ...], expected: int, asked: int
) -> None:
    told_to = "".join(f"{status}\n" for status in statuses)
    (tmp_path / "statuses").write_text(told_to)
    command = 'echo >> asked; exit "$(sed -n "$(wc -l < asked)p" statuses)"'
    done = run([CHECKOUT / "scripts" / "ask-twice", "sh", "-c", command], tmp_path)
    assert done.returncode == expected, done.stderr
    assert (tmp_path / "asked").read_text().count("\n") == asked
    assert ("UNKNOWN" in done.stderr) == (expected == 3)


def run(command: list[str | Path], directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=directory,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def gate_of(directory: Path, load: int, ratio: int, cost: int) -> Path:
    """Copy the gate to a tree whose measuring commands end as told."""
    scripts = directory / "scripts"
    scripts.mkdir()
    for name in ("perf-gate", "ask-twice", "part", "parts-table"):
        shutil.copy(CHECKOUT / "scripts" / name, scripts / name)
    bench = f'case "$*" in *--observation*) exit {cost};; *) exit {ratio};; esac'
    commands = {
        scripts / "install": "exit 0",
        scripts / "bench": bench,
        scripts / "ab-base": "exit 0",
        directory / ".venv" / "bin" / "choirbook": f'echo "$@" > asked; exit {load}',
    }
    for path, body in commands.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    return scripts / "perf-gate"


@pytest.mark.parametrize(
    ("statuses", "code", "unknown", "failed"),
    [
        ((0, 0, 0), 0, "", ""),
        ((3, 0, 0), 0, "load", ""),
        ((0, 3, 3), 0, "CPU beside the floor, cost of observation", ""),
        ((1, 0, 0), 1, "", "load (1)"),
        ((3, 1, 0), 1, "load", "CPU beside the floor (1)"),
        ((2, 0, 0), 1, "", "load (2)"),
    ],
)
def test_what_is_unknown_is_shown_and_only_what_failed_is_red(
    tmp_path: Path, statuses: tuple[int, int, int], code: int, unknown: str, failed: str
) -> None:
    gate, parts, summary = gate_of(tmp_path, *statuses), tmp_path / "parts", tmp_path / "summary"
    done = run([gate], tmp_path, PARTS=str(parts), GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == code, done.stderr
    assert ("UNKNOWN, neither passed nor failed: " in done.stderr) == bool(unknown)
    assert unknown in done.stderr
    assert ("FAILED: " in done.stderr, failed in done.stderr) == (bool(failed), True)
    assert ("::warning" in done.stdout) == summary.exists() == bool(unknown)
    table = run([tmp_path / "scripts" / "parts-table"], tmp_path, PARTS=str(parts)).stdout
    assert table.count("UNKNOWN (3)") == statuses.count(3)
    assert "--slo tight --confirm --fail-unmeasured" in (tmp_path / "asked").read_text()
