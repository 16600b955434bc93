"""The verdict as a person reads it, and as a program does."""

from __future__ import annotations

import msgspec
import pytest

from choirbook_perf import gate, verdict
from choirbook_perf.results import Failure, Result, Row
from choirbook_perf.slo import Threshold
from tests.perf.samples import sample_result, series_of


def result(**changed: object) -> Result:
    rows = gate.judge(
        [series_of([4.0] * 400)],
        10.0,
        [Threshold(metric="p95_ms", limit=10), Threshold(metric="p99.9_ms", limit=10)],
    )
    made = msgspec.structs.replace(sample_result([4.0] * 400), verdict=rows)
    return msgspec.structs.replace(made, **changed)


def shown(found: Result, capsys: pytest.CaptureFixture[str]) -> list[str]:
    verdict.show(found)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_person_is_shown_rates_percentiles_and_rows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    lines = shown(result(), capsys)
    assert lines[0] == "server, http: 400 requests in 10 s (40/s), 0 failed"
    spread = sample_result([1.0] * 600 + [2.0] * 360 + [3.0] * 35 + [9.0] * 5)
    assert "sdlc hit 1000 1 2 3 9" in shown(spread, capsys)
    assert "sdlc hit 400 4 4 4 4" in lines
    assert "p95_ms 10 ms 4 ms 400 pass" in lines
    assert "p99.9_ms 10 ms 4 ms 400 inconclusive: 400 requests, 2995 are needed" in lines


def test_a_person_is_shown_the_first_failures(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    failures = [Failure(name=f"n{number}", reason="timeout", count=number) for number in range(1, 8)]
    lines = shown(result(failures=failures, is_partial=True), capsys)
    assert lines[0].endswith("0 failed, interrupted")
    told = [line for line in lines if "failed " in line and "times" in line]
    assert told == [f"failed {number} times: n{number}: timeout" for number in range(1, 6)]


def test_a_run_without_a_second_or_an_answer_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    nothing = Row(
        metric="p95_ms", limit=10, measured=None, unit="ms", requests=0, outcome="inconclusive", reason=""
    )
    empty = result(series=[series_of([])], duration_s=0.0, verdict=[nothing])
    target = msgspec.structs.replace(empty.target, server="choirbook", era="modern")
    lines = shown(msgspec.structs.replace(empty, target=target), capsys)
    assert lines[0] == "choirbook, http modern: 0 requests in 0 s (0/s), 0 failed"
    assert not any(line.startswith("sdlc") for line in lines)
    assert "p95_ms 10 ms - 0 inconclusive" in lines


def row(outcome: str) -> Row:
    return Row(metric="m", limit=1, measured=1, unit="ms", requests=1, outcome=outcome, reason="")


@pytest.mark.parametrize(
    ("outcomes", "worst"),
    [
        ([], "pass"),
        (["pass"], "pass"),
        (["pass", "inconclusive"], "inconclusive"),
        (["inconclusive", "fail", "pass"], "fail"),
    ],
)
def test_the_outcome_is_the_worst_of_all_rows(outcomes: list[str], worst: str) -> None:
    assert verdict.outcome([row(each) for each in outcomes]) == worst


def test_a_program_is_told_the_verdict() -> None:
    told = verdict.summary(result(), "result.json")
    assert told["result"] == "result.json"
    assert (told["outcome"], told["is_partial"]) == ("inconclusive", False)
    assert (told["requests"], told["failed"], told["duration_s"]) == (400, 0, 10.0)
    assert [each["metric"] for each in told["verdict"]] == ["p95_ms", "p99.9_ms"]
