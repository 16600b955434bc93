from __future__ import annotations

import msgspec
import pytest

from choirbook_perf.ab import show
from choirbook_perf.ab.judging import judge
from choirbook_perf.ab.progress import line
from choirbook_perf.ab.results import AbResult, ComparedServer, Slice
from choirbook_perf.errors import GateFailed, Inconclusive
from choirbook_perf.stats.decisions import Limits
from tests.perf.ab.test_judging import simulated
from tests.perf.samples import sample_result


def compared(ratio: float, rounds: int = 12, failures: tuple[int, int] = (0, 0)) -> AbResult:
    slices = [each._replace(failures=failures[each.side]) for each in simulated(ratio, rounds=rounds)]
    judged = judge(slices, Limits())
    return AbResult(
        started="2026-11-28T08:00:00+00:00",
        subjects=[
            ComparedServer(
                given="commit", name="0123456789ab", environment="this environment", server="choirbook 1"
            ),
            ComparedServer(given="url", name="http://127.0.0.1:1", environment="", server=""),
        ],
        environment=sample_result([1.0]).environment,
        load={"pairs": 3},
        seed=1,
        slices=slices,
        findings=judged.findings,
        skipped=judged.skipped,
    )


def shown(found: AbResult, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", "200")
    show.show(found)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_person_sees_what_could_be_found_and_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = shown(compared(1.10, rounds=4), capsys, monkeypatch)
    assert lines[0] == "old: commit 0123456789ab, in this environment: choirbook 1"
    assert lines[1] == "new: url http://127.0.0.1:1: a server without a name"
    row = next(each for each in lines if each.startswith("cpu_us"))
    assert "too few for one unknown 4 -" in row
    assert row.endswith("6 rounds (18 pairs)")
    assert any(each.startswith("p99_ms - - not decided: too few rounds") for each in lines)


def test_doubts_and_failures_are_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = compared(1.0, failures=(0, 1))
    late = found.slices[1]._replace(lateness="It was late.")
    slices = [found.slices[0]._replace(doubt="starved"), late, *found.slices[2:]]
    lines = shown(msgspec.structs.replace(found, slices=slices), capsys, monkeypatch)
    assert "new: 48 of 48000 requests failed" in lines
    assert "1 slices do not count, such as: starved" in lines
    assert "1 slices count for processor time only, such as: It was late." in lines


def test_outcomes_become_exit_codes() -> None:
    show.check(compared(1.0))
    show.check(compared(0.9))
    with pytest.raises(GateFailed, match=r"cpu_us \+"):
        show.check(compared(1.10))
    with pytest.raises(Inconclusive, match="cpu_us is unknown"):
        show.check(compared(1.0, rounds=4))


def test_a_server_that_fails_is_no_pass() -> None:
    with pytest.raises(GateFailed, match="48 of 48000 requests to the new server failed"):
        show.check(compared(0.9, failures=(0, 1)))
    with pytest.raises(Inconclusive, match="what fails is not compared"):
        show.check(compared(0.9, failures=(1, 1)))


def test_progress_is_a_line() -> None:
    assert (
        line(Slice(0, 1, 1, 100, 0, 40.0, 50.0, None, None, None)) == "new  40.0 µs/request  50/s  0 failed"
    )
    assert line(Slice(0, 1, 0, 100, 2, None, 50.0, None, None, None)) == "old  50/s  2 failed"
