"""The verdict as a person reads it, and as a program does."""

from __future__ import annotations

import msgspec
import pytest

from choirbook_perf import judging, slo, verdict
from choirbook_perf.results import Failure, Generator, Result
from tests.perf.samples import row_of, sample_result, series_of


def result(**changed: object) -> Result:
    made = sample_result([4.0] * 400)
    rows = judging.judge(made, slo.parse('thresholds = ["p95 < 10", "p99.9 < 10"]', "slo.toml"))
    made = msgspec.structs.replace(made, verdict=rows)
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
    assert "p95 < 10 ms 4 ms 4 ms to 4 ms 400 pass" in lines
    assert "p99.9 < 10 ms 4 ms 4 ms to unknown 400 inconclusive: 400 requests, 2995 are needed" in lines


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
    nothing = row_of("not measured", None, requests=0, reason="no request was made", is_required=False)
    empty = result(series=[series_of([])], duration_s=0.0, verdict=[nothing])
    target = msgspec.structs.replace(empty.target, server="choirbook", era="modern")
    lines = shown(msgspec.structs.replace(empty, target=target), capsys)
    assert lines[0] == "choirbook, http modern: 0 requests in 0 s (0/s), 0 failed"
    assert not any(line.startswith("sdlc") for line in lines)
    assert "p95 < 10 ms - 0 not measured: no request was made (not required)" in lines


def test_a_generator_that_was_too_slow_claims_no_throughput(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    invalid = result(generator=Generator(is_valid=False, reasons=["It was stopped."]))
    rows = judging.judge(invalid, slo.load("mission"))
    lines = shown(msgspec.structs.replace(invalid, verdict=rows), capsys)
    assert any(line.endswith("inconclusive: the load generator was not fast enough") for line in lines)
    assert lines[0] == "server, http: 400 requests in 10 s, 0 failed"


def test_a_program_is_told_the_verdict() -> None:
    told = verdict.summary(result(), "result.json")
    assert told["result"] == "result.json"
    assert (told["outcome"], told["is_partial"]) == ("inconclusive", False)
    assert (told["requests"], told["failed"], told["duration_s"]) == (400, 0, 10.0)
    assert [each["metric"] for each in told["verdict"]] == ["p95", "p99.9"]
