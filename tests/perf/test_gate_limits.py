"""The gate exactly at its limits, and files of thresholds at theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from choirbook_perf import gate, slo
from choirbook_perf.errors import BadInput, GateFailed, Inconclusive
from choirbook_perf.results import Row
from choirbook_perf.slo import Threshold
from tests.perf.samples import series_of


def judged(latencies_ms: list[float], metric: str, limit: float, failures: int = 0) -> Row:
    (row,) = gate.judge(
        [series_of(latencies_ms, failures=failures)], 10.0, [Threshold(metric=metric, limit=limit)]
    )
    return row


@pytest.mark.parametrize(("failures", "outcome"), [(0, "pass"), (1, "pass"), (2, "fail")])
def test_a_ratio_of_exactly_the_limit_passes(failures: int, outcome: str) -> None:
    row = judged([1.0] * (100 - failures), "failure_ratio", 0.01, failures)
    assert (row.outcome, row.requests, row.measured) == (outcome, 100, failures / 100)


@pytest.mark.parametrize(("limit", "outcome"), [(9.9, "pass"), (10.0, "pass"), (10.1, "fail")])
def test_a_rate_of_exactly_the_limit_passes(limit: float, outcome: str) -> None:
    row = judged([1.0] * 100, "requests_per_s", limit)
    assert (row.outcome, row.measured, row.unit) == (outcome, 10.0, "1/s")


@pytest.mark.parametrize("duration_s", [0.0, -1.0])
def test_a_run_without_a_duration_has_no_rate(duration_s: float) -> None:
    threshold = Threshold(metric="requests_per_s", limit=0)
    (row,) = gate.judge([series_of([1.0])], duration_s, [threshold])
    assert (row.outcome, row.reason) == ("inconclusive", "no request was answered")


def test_a_latency_of_exactly_the_limit_passes() -> None:
    row = judged([8.0] * 400, "p95_ms", 8.0)
    assert (row.outcome, row.measured, row.unit, row.requests) == ("pass", 8.0, "ms", 400)
    assert judged([8.0] * 400, "p95_ms", 7.9).outcome == "fail"


def test_too_few_requests_are_told_with_those_that_are_needed() -> None:
    row = judged([1.0] * 58, "p95_ms", 10.0)
    assert (row.outcome, row.reason) == ("inconclusive", "58 requests, 59 are needed")
    assert [gate.requests_needed(percent) for percent in (50.0, 95.0, 99.0)] == [5, 59, 299]


@pytest.mark.parametrize(
    ("total", "quantile", "expected"),
    [
        (5, 0.5, (1, 5)),
        (4, 0.5, (0, 0)),
        (59, 0.95, (53, 59)),
        (58, 0.95, (52, 0)),
        (9_999, 0.95, (9463, 9536)),
        (10_000, 0.95, (9464, 9537)),
    ],
)
def test_the_ranks_that_bound_a_quantile(total: int, quantile: float, expected: tuple[int, int]) -> None:
    assert gate.ranks(total, quantile) == expected


def test_far_more_requests_than_a_percentile_has_room_for_still_have_no_upper_bound() -> None:
    low, high = gate.ranks(20_000, 0.99999)
    assert (high, 0 < low <= 20_000) == (0, True)


def test_a_gate_says_what_failed_and_by_how_much() -> None:
    rows = [judged([1.0] * 100, "requests_per_s", 11), judged([9.0] * 400, "p95_ms", 5)]
    with pytest.raises(GateFailed, match="requests_per_s 10 is below 11 1/s; p95_ms 9 is above 5 ms"):
        gate.check(rows)
    with pytest.raises(Inconclusive, match=r"p99_ms \(10 requests, 299 are needed\)"):
        gate.check([judged([1.0] * 10, "p99_ms", 5)])
    gate.check([])


def test_a_saturated_generator_is_no_excuse_for_failed_requests() -> None:
    threshold = Threshold(metric="failure_ratio", limit=0)
    (row,) = gate.judge([series_of([1.0], failures=1)], 10, [threshold], is_saturated=True)
    assert row.outcome == "fail"


def test_a_series_without_latencies_but_with_failures_has_a_ratio() -> None:
    row = judged([], "failure_ratio", 0.5, failures=3)
    assert (row.measured, row.requests, row.outcome) == (1.0, 3, "fail")


def test_what_a_threshold_is_about_is_read_from_its_name() -> None:
    of_hits = Threshold(metric="hit_p99.9_ms", limit=1)
    assert (of_hits.percent, of_hits.cache_result, of_hits.unit) == (99.9, "hit", "ms")
    of_all = Threshold(metric="p50_ms", limit=1)
    assert (of_all.percent, of_all.cache_result) == (50.0, "")
    ratio = Threshold(metric="failure_ratio", limit=1)
    assert (ratio.percent, ratio.cache_result, ratio.unit) == (None, "", "ratio")
    assert Threshold(metric="requests_per_s", limit=1).unit == "1/s"


def test_a_file_of_thresholds_is_read(tmp_path: Path) -> None:
    path = tmp_path / "slo.toml"
    path.write_text("p95_ms = 0\nrequests_per_s = 300\nmiss_p99_ms = 1.5\n")
    (p95, rate, misses) = slo.load(path)
    assert (p95.limit, rate.limit, misses.limit) == (0.0, 300.0, 1.5)
    assert all(each.is_required for each in (p95, rate, misses))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read"),
        (b"\xff", "is not UTF-8 text"),
        (b"p95_ms", "is not TOML"),
        (b"", "sets no limit"),
        (b"p95_ms = inf", "must be a number of 0 or more"),
        (b"p95_ms = -0.1", "must be a number of 0 or more"),
        (b"p95_ms = true", "must be a number of 0 or more"),
        (b'"p100_ms" = 1', "is not a metric"),
        (b'"p0.0_ms" = 1', "is not a metric"),
    ],
)
def test_a_file_of_thresholds_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    path = tmp_path / "slo.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=f"slo.toml.*{complaint}"):
        slo.load(path)
