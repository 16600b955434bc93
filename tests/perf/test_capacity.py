"""The search for a capacity, on servers that are formulas, and its page."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf.capacity import Capacity, Point, Search
from choirbook_perf.capacity.page import page
from choirbook_perf.capacity.results import answer
from choirbook_perf.capacity.search import BROKEN, INVALID, KEPT, Knee
from choirbook_perf.results import Row, Target
from tests.perf.sample_results import sample_environment


def _found(limit: float, *, start: float = 100, highest: float = 50_000, generator: float = math.inf) -> Knee:
    """Search a server that keeps its SLO up to a limit, with a generator that has one too."""

    def measure(rate: float) -> str:
        if rate > generator:
            return INVALID
        return KEPT if rate <= limit else BROKEN

    return Search(measure, start=start, highest=highest).run()


@given(st.floats(2, 40_000), st.floats(1, 40_000))
def test_the_knee_is_found_from_either_side(limit: float, start: float) -> None:
    knee = _found(limit, start=start)
    assert knee.low is not None
    assert knee.high is not None
    assert knee.rate is not None
    assert knee.low <= limit < knee.high
    # Rates of three digits: of 1.00 and 1.01 there is none between.
    assert knee.high / knee.low <= 1.03 + 0.011
    assert knee.rate == pytest.approx(limit, rel=0.05)


def test_a_generator_that_breaks_first_gives_no_answer() -> None:
    knee = _found(10_000, generator=3_000)
    assert knee.rate is None
    assert knee.low is not None
    assert knee.low <= 3_000
    assert "The generator reached its own limit" in knee.reason


def test_a_generator_that_breaks_only_far_above_the_knee_does_no_harm() -> None:
    knee = _found(450, generator=600)
    assert knee.rate == pytest.approx(450, rel=0.05)


def test_a_server_that_keeps_its_slo_at_no_rate_is_told() -> None:
    knee = _found(0.5)
    assert (knee.rate, knee.low) == (None, None)
    assert "not kept at 1" in knee.reason


def test_a_generator_that_is_valid_at_no_rate_gives_no_answer_about_the_server() -> None:
    rates: list[float] = []

    def measure(rate: float) -> str:
        rates.append(rate)
        return INVALID

    knee = Search(measure, start=100, highest=50_000).run()
    assert (knee.rate, knee.low, knee.high) == (None, None, None)
    assert "The generator was not valid at any rate" in knee.reason
    assert rates == [100, 100, 50, 50, 25, 25]


def test_the_search_ends_at_the_highest_rate() -> None:
    knee = _found(10_000, highest=1_000)
    assert (knee.rate, knee.low) == (None, 1_000)
    assert "--max-rate" in knee.reason


def test_a_disturbance_of_the_generator_is_measured_again() -> None:
    disturbed = iter([True])

    def measure(rate: float) -> str:
        if rate == 400 and next(disturbed, False):
            return INVALID
        return KEPT if rate <= 700 else BROKEN

    assert Search(measure, start=100, highest=50_000).run().rate == pytest.approx(700, rel=0.05)


def test_ends_that_do_not_hold_in_every_repeat_move_apart() -> None:
    seen: dict[float, int] = {}

    def measure(rate: float) -> str:
        seen[rate] = seen.get(rate, 0) + 1
        if 480 <= rate <= 520:
            return KEPT if seen[rate] % 2 else BROKEN
        return KEPT if rate < 480 else BROKEN

    knee = Search(measure, start=100, highest=50_000).run()
    assert knee.low is not None
    assert knee.high is not None
    assert knee.low < 480
    assert knee.high > 520


def _capacity() -> Capacity:
    def point(rate: float, p95_ms: float, outcome: str) -> Point:
        return Point(
            rate=rate,
            outcome=outcome,
            broke=["p95 150 ms"] if outcome == "broken" else [],
            requests=int(rate * 10),
            failures=0,
            unsent=0,
            p50_ms=p95_ms / 2,
            p95_ms=p95_ms,
            p99_ms=p95_ms * 2,
            generator_cpu=0.2,
        )

    points = [point(100, 3, "kept"), point(200, 5, "kept"), point(400, 150, "broken")]
    return Capacity(
        started="2026-03-01T12:00:00+00:00",
        target=Target(
            url="http://127.0.0.1", protocol="http", era="", server="<b>", started_here=False, settings={}
        ),
        environment=sample_environment(),
        slo=[Row(metric="p95", operator="<", limit=100, measured=150, unit="ms", requests=1, outcome="fail")],
        arrivals="constant",
        duration_s=10,
        points=[*points, point(800, 900, "invalid")],
        floor=None,
        rate=283,
        low=200,
        high=400,
    )


def test_the_page_shows_the_knee_and_the_curve_without_invalid_rates() -> None:
    html = page(_capacity())
    assert "kept up to 283 requests per second: always at 200, never at 400" in html
    assert "limit of p95: 100 ms" in html
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert "<script" not in html
    # The axis ends with the highest valid rate.
    assert ">400</text>" in html
    assert ">800</text>" not in html


def test_without_a_knee_the_reason_is_the_answer() -> None:
    knee = _found(10_000, highest=1_000)
    assert answer(msgspec.structs.replace(_capacity(), rate=None, reason=knee.reason)) == knee.reason
