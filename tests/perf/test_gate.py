"""Verdict of a run: what passes, fails, cannot be decided, and was not measured."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf import gate, judging, slo
from choirbook_perf.errors import GateFailed, Inconclusive
from choirbook_perf.intervals import order
from choirbook_perf.results import Floor, Generator, Phase, Result, Row
from tests.perf.samples import result_of, row_of, sample_result, seconds_of, series_of

latencies_ms = st.lists(st.floats(0.01, 1000), min_size=1, max_size=400)
MISSION = slo.load("mission")
INVALID = Generator(is_valid=False, reasons=["It waited 900 ms of a second for a core."])


def judged(result: Result, expression: str) -> Row:
    (row,) = judging.judge(result, [slo.parse_expression(expression, "slo.toml")])
    return row


def of(samples: list[float], expression: str, **changed: object) -> Row:
    return judged(result_of(series_of(samples), **changed), expression)


@given(latencies_ms, st.sampled_from(["p50", "p90", "p95", "p99", "hit.p95"]), st.floats(0, 1000))
def test_a_row_passes_or_fails_only_on_the_side_its_figure_is(
    samples: list[float], statistic: str, limit: float
) -> None:
    row = of(samples, f"{statistic} <= {limit:.6f}")
    assert row.measured is not None
    assert row.requests == len(samples)
    if row.outcome == "pass":
        assert row.measured <= limit + 1e-6
    elif row.outcome == "fail":
        assert row.measured > limit - 1e-6
    else:
        assert row.reason


@given(latencies_ms, st.sampled_from(["p50", "p95", "p99"]))
def test_the_interval_holds_the_figure(samples: list[float], statistic: str) -> None:
    row = of(samples, f"{statistic} < 10")
    assert row.measured is not None
    assert (row.low or 0) <= row.measured
    assert row.high is None or row.measured <= row.high


@pytest.mark.parametrize("percent", [50.0, 90.0, 95.0, 99.0])
def test_a_percentile_passes_with_the_requests_it_needs_and_not_with_one_less(percent: float) -> None:
    needed = order.requests_needed(percent)
    assert of([1.0] * needed, f"p{percent:g} < 10").outcome == "pass"
    row = of([1.0] * (needed - 1), f"p{percent:g} < 10")
    assert (row.outcome, row.reason) == ("inconclusive", f"{needed - 1} requests, {needed} are needed")


@pytest.mark.parametrize(
    ("expression", "outcome"),
    [
        ("p95 < 8", "fail"),
        ("p95 <= 8", "pass"),
        ("p95 < 8.1", "pass"),
        ("p95 > 7", "pass"),
        ("p95 > 8", "fail"),
    ],
)
def test_the_operator_decides_at_exactly_the_limit(expression: str, outcome: str) -> None:
    row = of([8.0] * 400, expression)
    assert (row.outcome, row.measured, row.unit, row.requests) == (outcome, 8.0, "ms", 400)


def test_a_limit_within_the_interval_is_inconclusive() -> None:
    row = of([1.0, 30.0] * 20, "p50 < 10")
    assert (row.outcome, row.reason) == ("inconclusive", "between 1 ms and 30 ms at 95 %")


def test_a_stall_of_two_seconds_keeps_a_p95_from_passing_that_its_requests_alone_would_pass() -> None:
    seconds = [[1500.0] * 40 if second < 2 else [1.0] * 40 for second in range(60)]
    samples = [one for second in seconds for one in second]
    # 3.3 % of the requests are slow, so p95 is 1 ms. With two more such seconds it would be 1,500 ms.
    assert of(samples, "p95 < 100").outcome == "pass"
    row = of(samples, "p95 < 100", by_second=[seconds_of(seconds)])
    assert (row.outcome, row.measured) == ("inconclusive", 1.0)
    thin = [[1.0] * 39 + [1500.0] * (second % 2) for second in range(60)]
    assert (
        of([one for second in thin for one in second], "p95 < 100", by_second=[seconds_of(thin)]).outcome
        == "pass"
    )


@pytest.mark.parametrize("operator", ["<", ">"])
def test_an_invalid_generator_decides_no_row_and_claims_no_rate(operator: str) -> None:
    series = [series_of([500.0] * 400, failures=9), series_of([1.0] * 400, "miss")]
    rows = judging.judge(
        result_of(*series, generator=INVALID),
        [
            slo.parse_expression(text, "x")
            for text in (
                f"p95 {operator} 100",
                f"miss.p95 {operator} 100",
                f"rate {operator} 1",
                f"failures.count {operator} 0",
                "failures.rate == 0",
                f"hits.rate {operator} 1%",
                f"server.p95 {operator} 1",
            )
        ],
    )
    assert {row.outcome for row in rows} == {"inconclusive"}
    assert all("It waited 900 ms" in row.reason for row in rows)
    (rate,) = [row for row in rows if row.metric == "rate"]
    assert (rate.measured, rate.low, rate.high) == (None, None, None)
    with pytest.raises(Inconclusive, match="not fast enough"):
        gate.check(rows, fail_unmeasured=True)


def test_a_latency_near_the_generator_s_own_is_not_blamed_on_the_server() -> None:
    floor = Floor(rate=1000, requests=1000, p50_ms=1.0, p95_ms=2.0, p99_ms=5.0)
    samples = [5.9] * 600
    ours = Generator(name="choirbook", floor=floor)
    assert of(samples, "p95 < 5", generator=ours).outcome == "inconclusive"
    assert "less than 3 times" in of(samples, "p99 < 5", generator=ours).reason
    assert of(samples, "p50 < 5", generator=ours).outcome == "fail"
    assert of([6.1] * 600, "p95 < 5", generator=ours).outcome == "fail"
    assert of(samples, "p95 < 6", generator=ours).outcome == "pass"


def test_hits_and_misses_types_and_names_are_apart() -> None:
    other = msgspec.structs.replace(series_of([7.0] * 100), resource_type="pattern", name="patterns/core")
    result = result_of(series_of([1.0] * 100), series_of([60.0] * 100, "miss"), other)
    assert judged(result, "hit.p95{type:sdlc} < 10").measured == 1.0
    assert judged(result, "hit.p95 < 10").measured == 7.0
    assert judged(result, "p95{name:patterns/core} < 10").measured == 7.0
    assert judged(result, "miss.p95 < 10").outcome == "fail"
    assert judged(result, "miss.p95{type:pattern} < 10").outcome == "not measured"
    assert judged(result, "hits.rate{type:sdlc} > 10%").measured == 0.5


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("miss.p95 < 10", "the server reported no miss"),
        ("service.p95 < 10", "the load generator kept no service times"),
        ("server.hit.p95 < 10", "/metrics shows no such"),
        ("p95{type:none} < 10", "no such request"),
        ("failures.rate{type:none} < 1%", "no such request"),
    ],
)
def test_what_has_no_sample_is_a_row_that_is_not_measured(expression: str, reason: str) -> None:
    row = of([1.0] * 400, expression)
    assert (row.outcome, row.measured, row.requests, row.is_required) == ("not measured", None, 0, True)
    assert reason in row.reason
    with pytest.raises(Inconclusive, match="Not measured"):
        gate.check([row])
    with pytest.raises(GateFailed, match="Not measured"):
        gate.check([row], fail_unmeasured=True)


def test_a_server_that_reports_no_cache_results_shows_the_rows_and_passes() -> None:
    rows = judging.judge(result_of(series_of([1.0] * 400, "unknown")), MISSION)
    found = {row.metric: (row.outcome, row.is_required) for row in rows}
    assert found["hit.p95"] == found["miss.p95"] == ("not measured", False)
    gate.check(rows, fail_unmeasured=True)
    assert gate.outcome(rows) == "pass"


@pytest.mark.parametrize(("protocol", "required"), [("http", True), ("mcp", False)])
def test_a_choirbook_over_http_must_show_hits_and_misses(protocol: str, required: bool) -> None:  # noqa: FBT001
    made = result_of(series_of([1.0] * 400, "unknown"))
    target = msgspec.structs.replace(made.target, server="Choirbook 1.0", protocol=protocol)
    rows = judging.judge(msgspec.structs.replace(made, target=target), MISSION)
    assert {row.is_required for row in rows if row.metric == "miss.p95"} == {required}
    assert gate.outcome(rows) == ("inconclusive" if required else "pass")


def test_a_server_that_the_run_started_is_a_choirbook() -> None:
    rows = judging.judge(sample_result([1.0] * 400), MISSION)
    found = {row.metric: (row.outcome, row.is_required) for row in rows}
    assert found["miss.p95"] == ("not measured", True)
    assert found["hit.p95"] == ("pass", True)


@pytest.mark.parametrize(("failures", "outcome"), [(0, "pass"), (1, "fail")])
def test_one_failure_is_one_too_many_for_the_mission(failures: int, outcome: str) -> None:
    row = judged(result_of(series_of([1.0] * 999, failures=failures)), "failures.rate == 0")
    assert (row.outcome, row.low, row.high) == (outcome, None, None)


@pytest.mark.parametrize(
    ("failures", "requests", "outcome"),
    [
        (0, 2995, "pass"),
        (0, 2994, "inconclusive"),
        (1, 4800, "pass"),
        (3, 3000, "inconclusive"),
        (12, 3000, "fail"),
    ],
)
def test_a_failure_ratio_has_an_exact_interval(failures: int, requests: int, outcome: str) -> None:
    row = judged(
        result_of(series_of([1.0] * (requests - failures), failures=failures)), "failures.rate < 0.1%"
    )
    assert (row.outcome, row.requests, row.measured) == (outcome, requests, round(failures / requests, 6))
    if failures == 0 and outcome == "inconclusive":
        assert "2995 requests without a failure are needed" in row.reason


@pytest.mark.parametrize(("limit", "outcome"), [(2, "fail"), (3, "pass")])
def test_a_count_of_failures_is_exact(limit: int, outcome: str) -> None:
    row = judged(result_of(series_of([1.0] * 10, failures=3)), f"failures.count <= {limit}")
    assert (row.outcome, row.measured) == (outcome, 3)


@pytest.mark.parametrize(("limit", "outcome"), [("0.3", "pass"), ("0.5", "inconclusive"), ("0.8", "fail")])
def test_a_ratio_of_hits_has_an_interval(limit: str, outcome: str) -> None:
    result = result_of(series_of([1.0] * 50), series_of([1.0] * 50, "miss"), series_of([1.0], "unknown"))
    row = judged(result, f"hits.rate > {limit}")
    assert (row.outcome, row.measured, row.requests) == (outcome, 0.5, 100)
    assert judged(result_of(series_of([1.0], "unknown")), "hits.rate > 1%").outcome == "not measured"


def test_no_request_at_all_is_not_measured_and_not_a_pass() -> None:
    for expression in ("p95 < 1", "failures.rate == 0", "rate > 0"):
        assert judged(result_of(), expression).outcome == "not measured"
    assert judged(result_of(series_of([1.0]), duration_s=0.0), "rate > 0").outcome == "not measured"
    for rows in ([], [row_of("not measured", None, is_required=False)]):
        with pytest.raises(Inconclusive, match="Nothing was measured"):
            gate.check(rows)


@pytest.mark.parametrize(("limit", "outcome"), [(15, "pass"), (40.5, "inconclusive"), (80, "fail")])
def test_a_rate_has_an_interval_over_its_seconds(limit: float, outcome: str) -> None:
    result = msgspec.structs.replace(sample_result([1.0] * 1640), duration_s=40.0)
    wandering = [
        msgspec.structs.replace(tick, requests=41 + (15 if tick.second % 20 < 10 else -15))
        for tick in result.timeline
    ]
    row = judged(msgspec.structs.replace(result, timeline=wandering), f"rate > {limit}")
    assert (row.measured, row.unit, row.outcome) == (41.0, "1/s", outcome)


def phase_of(kind: str, start_s: float, duration_s: float) -> Phase:
    return Phase(
        name=kind,
        kind=kind,
        start_s=start_s,
        duration_s=duration_s,
        requests=1,
        failures=0,
        p50_ms=None,
        p95_ms=None,
        p99_ms=None,
    )


def test_seconds_outside_of_the_measured_phase_are_no_part_of_a_rate() -> None:
    made = sample_result([1.0] * 1200)
    phases = [phase_of("warm-up", 0, 10), phase_of("measured", 10, 20)]
    timeline = [
        msgspec.structs.replace(tick, requests=0 if tick.second < 10 else 40) for tick in made.timeline
    ]
    steady = msgspec.structs.replace(made, timeline=timeline, phases=phases, duration_s=20.0)
    row = judged(steady, "rate > 59")
    assert (row.outcome, row.measured, row.low, row.high) == ("pass", 60.0, 60.0, 60.0)


BUCKETS = (0.0005, 0.001, 0.0025, float("inf"))


def served(counts: tuple[int, ...], kind: str = "hit") -> dict[str, float]:
    total, found = 0, {}
    for bound, count in zip(BUCKETS, counts, strict=True):
        total += count
        le = "+Inf" if bound == float("inf") else repr(bound)
        labels = f'cache_result="{kind}",le="{le}",resource_type="sdlc"'
        found[f"mcp_resource_loading_latency_seconds_bucket{{{labels}}}"] = float(total)
    return found


@pytest.mark.parametrize(
    ("counts", "expression", "outcome"),
    [
        ((900, 99, 1, 0), "server.hit.p95 <= 1", "pass"),
        ((900, 99, 1, 0), "server.hit.p95 < 1", "inconclusive"),
        ((990, 9, 1, 0), "server.hit.p95 < 1", "pass"),
        ((900, 49, 51, 0), "server.hit.p95 <= 1", "inconclusive"),
        ((500, 100, 400, 0), "server.hit.p95 <= 1", "fail"),
        ((500, 100, 400, 0), "server.hit.p95 <= 2", "inconclusive"),
        ((0, 0, 0, 400), "server.hit.p95 <= 1", "fail"),
        ((0, 0, 0, 400), "server.hit.p95{type:sdlc} <= 2.5", "fail"),
        ((40, 0, 0, 0), "server.hit.p95 <= 1", "inconclusive"),
        ((400, 0, 0, 0), "server.miss.p95 <= 1", "not measured"),
    ],
)
def test_the_server_s_own_histogram_is_judged_by_its_buckets(
    counts: tuple[int, ...], expression: str, outcome: str
) -> None:
    before = served((7, 0, 0, 0))
    after = {key: value + before[key] for key, value in served(counts).items()}
    row = of([1.0], expression, server_before=before, server_after=after)
    assert row.outcome == outcome
    assert row.requests == (0 if outcome == "not measured" else sum(counts))


def test_a_failure_comes_before_what_cannot_be_said_and_says_by_how_much() -> None:
    rows = judging.judge(result_of(series_of([500.0] * 20, failures=1)), MISSION)
    told = r"p50 is 500 ms, the limit is < 50 ms; .*failures.rate is 4.762 %, the limit is == 0 %"
    with pytest.raises(GateFailed, match=told):
        gate.check(rows)
    with pytest.raises(Inconclusive, match=r"p99 \(100 requests, 299 are needed\)"):
        gate.check(judging.judge(result_of(series_of([1.0] * 100)), MISSION))
    gate.check(judging.judge(result_of(series_of([1.0] * 1000)), MISSION))


@pytest.mark.parametrize(
    ("outcomes", "worst"),
    [
        ([], "inconclusive"),
        (["pass"], "pass"),
        (["pass", "inconclusive"], "inconclusive"),
        (["pass", "not measured"], "inconclusive"),
        (["inconclusive", "fail", "pass"], "fail"),
    ],
)
def test_the_outcome_is_the_worst_of_all_rows(outcomes: list[str], worst: str) -> None:
    assert gate.outcome([row_of(each) for each in outcomes]) == worst


def test_figures_are_told_in_the_units_of_the_threshold() -> None:
    row = row_of("pass", 0.001, metric="failures.rate", unit="ratio", limit=0.01, low=0.0005, high=None)
    assert (gate.value_of(row), gate.limit_of(row), gate.interval_of(row)) == (
        "0.1 %",
        "< 1 %",
        "0.05 % to unknown",
    )
    assert gate.value_of(row_of("not measured", None)) == "-"
    assert gate.interval_of(row_of("pass", 3, unit="count")) == ""
    assert gate.value_of(row_of("pass", 3, unit="count")) == "3"
