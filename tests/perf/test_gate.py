from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choirbook_perf import gate, slo
from choirbook_perf.errors import BadInput, GateFailed, Inconclusive
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.results import Row, Series
from choirbook_perf.slo import MISSION, Threshold
from tests.perf.samples import series_of

latencies_ms = st.lists(st.floats(0.01, 1000), min_size=1, max_size=400)
thresholds = st.builds(
    Threshold,
    metric=st.sampled_from(["p50_ms", "p90_ms", "p95_ms", "p99_ms", "hit_p95_ms"]),
    limit=st.floats(0, 1000),
)


def _only(series: list[Series], threshold: Threshold) -> Row:
    (row,) = gate.judge(series, 10.0, [threshold])
    return row


@settings(deadline=None)
@given(latencies_ms, thresholds)
def test_a_row_passes_or_fails_only_on_the_side_its_figure_is(
    samples: list[float], threshold: Threshold
) -> None:
    row = _only([series_of(samples)], threshold)
    assert row.measured is not None
    assert row.requests == len(samples)
    if row.outcome == "pass":
        assert row.measured <= threshold.limit
    elif row.outcome == "fail":
        assert row.measured > threshold.limit
    else:
        assert row.reason


@settings(deadline=None)
@given(latencies_ms, st.sampled_from([50.0, 90.0, 95.0, 99.0]))
def test_the_interval_holds_the_figure(samples: list[float], percent: float) -> None:
    histogram = LatencyHistogram(series_of(samples).counts)
    low_ms, high_ms = gate.interval_ms(histogram, percent)
    assert low_ms <= histogram.percentile_ms(percent) <= high_ms


@pytest.mark.parametrize("percent", [50.0, 90.0, 95.0, 99.0])
def test_a_percentile_passes_with_the_requests_it_needs_and_not_with_one_less(percent: float) -> None:
    threshold = Threshold(metric=f"p{percent:g}_ms", limit=10)
    needed = gate.requests_needed(percent)
    assert _only([series_of([1.0] * needed)], threshold).outcome == "pass"
    assert _only([series_of([1.0] * (needed - 1))], threshold).outcome == "inconclusive"


@pytest.mark.parametrize("total", [400, 9_999, 20_000])
def test_the_true_percentile_lies_within_the_interval_as_often_as_said(total: int) -> None:
    drawn = random.Random(total)  # noqa: S311 - a sample, no secret
    inside = 0
    rounds = 60
    for _ in range(rounds):
        histogram = LatencyHistogram()
        for _ in range(total):
            histogram.record(drawn.random())
        low_ms, high_ms = gate.interval_ms(histogram, 95)
        inside += low_ms <= 950 <= high_ms
    # Each end holds for 95 % of all runs, so both do for 90 %.
    assert inside >= rounds * 0.8


def test_a_limit_within_the_interval_is_inconclusive() -> None:
    row = _only([series_of([1.0, 30.0] * 20)], Threshold(metric="p50_ms", limit=10))
    assert row.outcome == "inconclusive"
    assert "between" in row.reason


def test_a_saturated_generator_fails_nobody_but_may_pass() -> None:
    fast, slow = series_of([1.0] * 400), series_of([500.0] * 400)
    asked = [Threshold(metric="p95_ms", limit=100)]
    assert gate.judge([fast], 10, asked, is_saturated=True)[0].outcome == "pass"
    assert gate.judge([slow], 10, asked, is_saturated=True)[0].outcome == "inconclusive"
    assert gate.judge([slow], 10, asked)[0].outcome == "fail"


def test_hits_and_misses_are_apart() -> None:
    series = [series_of([1.0] * 100), series_of([60.0] * 100, "miss")]
    assert _only(series, Threshold(metric="hit_p95_ms", limit=10)).measured == 1.0
    assert _only(series, Threshold(metric="miss_p95_ms", limit=10)).outcome == "fail"


def test_what_a_server_does_not_tell_is_left_out_unless_asked_for() -> None:
    series = [series_of([1.0] * 400, "unknown")]
    assert "hit_p95_ms" not in {row.metric for row in gate.judge(series, 10, MISSION)}
    assert _only(series, Threshold(metric="hit_p95_ms", limit=10)).outcome == "inconclusive"


@pytest.mark.parametrize(("failures", "outcome"), [(0, "pass"), (1, "fail")])
def test_one_failure_is_one_too_many(failures: int, outcome: str) -> None:
    row = _only([series_of([1.0] * 999, failures=failures)], Threshold(metric="failure_ratio", limit=0))
    assert row.outcome == outcome


def test_no_request_at_all_is_inconclusive() -> None:
    for metric in ("p95_ms", "failure_ratio", "requests_per_s"):
        assert _only([], Threshold(metric=metric, limit=0)).outcome == "inconclusive"


def test_too_few_answers_a_second_fail() -> None:
    row = _only([series_of([1.0] * 100)], Threshold(metric="requests_per_s", limit=11))
    assert (row.measured, row.outcome) == (10.0, "fail")


def test_a_failure_comes_before_what_cannot_be_said() -> None:
    rows = gate.judge([series_of([500.0] * 20, failures=1)], 10, MISSION)
    with pytest.raises(GateFailed, match=r"p50_ms 500 is above 50 ms.*failure_ratio"):
        gate.check(rows)
    with pytest.raises(Inconclusive, match="p99_ms"):
        gate.check(gate.judge([series_of([1.0] * 100)], 10, MISSION))
    gate.check(gate.judge([series_of([1.0] * 1000)], 10, MISSION))


@given(
    st.dictionaries(
        st.sampled_from(["p50_ms", "p99.9_ms", "miss_p95_ms", "failure_ratio"]), st.floats(0, 1e6)
    )
)
def test_an_slo_file_says_its_limits(limits: dict[str, float]) -> None:
    text = "\n".join(f"'{name}' = {limit!r}" for name, limit in limits.items())
    if limits:
        assert {each.metric: each.limit for each in slo.parse(text, "slo.toml")} == limits
    else:
        with pytest.raises(BadInput, match="sets no limit"):
            slo.parse(text, "slo.toml")


@pytest.mark.parametrize(
    "text", ["p95_ms", "p95 = 1", "p0_ms = 1", "p95_ms = -1", "p95_ms = '1'", "p95_ms = true", "p95_ms = nan"]
)
def test_an_slo_file_that_cannot_be_used_is_named(text: str) -> None:
    with pytest.raises(BadInput, match=r"slo\.toml"):
        slo.parse(text, "slo.toml")
