"""Intervals against published values, against each other, and against samples whose truth is known."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.intervals import blocks, order, ratio


def at_most(count: int, total: int, share: float) -> float:
    """Return the probability of at most so many successes, from its definition."""
    p = Fraction(share)
    return float(sum(comb(total, k) * p**k * (1 - p) ** (total - k) for k in range(count + 1)))


@pytest.mark.parametrize(
    ("count", "total"), [(0, 10), (1, 10), (5, 10), (9, 10), (10, 10), (3, 120), (119, 120)]
)
@pytest.mark.parametrize("confidence", [90.0, 95.0, 99.0])
def test_a_bound_is_the_ratio_at_which_the_sample_becomes_improbable(
    count: int, total: int, confidence: float
) -> None:
    alpha = 1 - confidence / 100
    low, high = ratio.clopper_pearson(count, total, confidence)
    if count == 0:
        assert low == 0
    else:
        assert 1 - at_most(count - 1, total, low) == pytest.approx(alpha)
    if count == total:
        assert high == 1
    else:
        assert at_most(count, total, high) == pytest.approx(alpha)


def test_published_bounds_are_met() -> None:
    # Both bounds at 97.5 % are the interval at 95 % of the textbooks: 0 of 20, and 5 of 50.
    assert ratio.clopper_pearson(0, 20, 97.5)[1] == pytest.approx(0.1684, abs=5e-5)
    assert ratio.clopper_pearson(5, 50, 97.5) == pytest.approx((0.0333, 0.2181), abs=5e-5)


@pytest.mark.parametrize("total", [1_000_000, 50_000_000])
def test_a_large_run_has_a_narrow_interval(total: int) -> None:
    low, high = ratio.clopper_pearson(total // 1000, total, 95)
    spread = 1.645 * math.sqrt(0.001 * 0.999 / total)
    assert low == pytest.approx(0.001 - spread, rel=0.01)
    assert high == pytest.approx(0.001 + spread, rel=0.01)


@given(st.integers(1, 2000), st.data())
def test_the_bounds_hold_the_ratio(total: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, total))
    low, high = ratio.clopper_pearson(count, total, 95)
    assert 0 <= low <= count / total <= high <= 1


def test_the_requests_that_show_a_ratio_without_a_failure_are_just_enough() -> None:
    needed = ratio.needed_without_failure(0.001, 95)
    assert needed == 2995
    assert ratio.clopper_pearson(0, needed, 95)[1] < 0.001 <= ratio.clopper_pearson(0, needed - 1, 95)[1]


@pytest.mark.parametrize(
    ("probability", "freedom", "expected"),
    [(0.95, 1, 6.3138), (0.95, 9, 1.8331), (0.99, 4, 3.7469), (0.975, 30, 2.0423), (0.95, 1e5, 1.6449)],
)
def test_quantiles_of_student_s_distribution_are_those_of_the_tables(
    probability: float, freedom: float, expected: float
) -> None:
    assert ratio.student_quantile(probability, freedom) == pytest.approx(expected, abs=1e-4)


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
    assert order.ranks(total, quantile) == expected


def test_far_more_requests_than_a_percentile_has_room_for_still_have_no_upper_bound() -> None:
    low, high = order.ranks(20_000, 0.99999)
    assert (high, 0 < low <= 20_000) == (0, True)


def test_more_confidence_needs_more_requests_and_wider_ranks() -> None:
    assert [order.requests_needed(percent) for percent in (50.0, 95.0, 99.0)] == [5, 59, 299]
    assert order.requests_needed(95.0, 99.0) == 90
    narrow, wide = order.ranks(1000, 0.95), order.ranks(1000, 0.95, 99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def waves(seconds: int, dice: random.Random) -> list[list[tuple[int, int]]]:
    """Make latencies whose level wanders from second to second, as those of a shared machine do."""
    level, found = 0.0, []
    for _ in range(seconds):
        level = 0.7 * level + dice.gauss(0, 0.3 * math.sqrt(1 - 0.49))
        histogram = LatencyHistogram()
        for _ in range(25):
            histogram.record(0.001 * math.exp(level + dice.gauss(0, 0.4)))
        found.append(histogram.counts())
    return found


def test_the_true_percentile_is_within_the_bounds_as_often_as_said_despite_autocorrelation() -> None:
    dice = random.Random(20261128)  # noqa: S311 - a sample, no secret
    # The level and the noise are normal, so their sum is: its p95 is known.
    truth_us = 1000 * math.exp(1.6449 * math.hypot(0.3, 0.4))
    runs, by_blocks, by_requests = 80, 0, 0
    for _ in range(runs):
        seconds = waves(60, dice)
        all_ = LatencyHistogram([pair for counts in seconds for pair in counts])
        estimate_us = all_.percentile_ms(95) * 1000
        low, high = blocks.percentile_factors(seconds, 95, 95)
        by_blocks += low * estimate_us <= truth_us <= high * estimate_us
        ranks = order.ranks(len(all_), 0.95)
        bounds = [all_.percentile_ms(100 * (rank - 0.5) / len(all_)) * 1000 for rank in ranks]
        by_requests += bounds[0] <= truth_us <= bounds[1]
    # Each bound holds for 95 % of all runs, both do for 90 %; three standard deviations of 80 runs are 10 %.
    assert by_blocks >= 0.8 * runs
    assert by_requests < 0.75 * runs


def test_a_run_always_has_the_same_bounds() -> None:
    seconds = waves(30, random.Random(1))  # noqa: S311
    assert blocks.percentile_factors(seconds, 95, 95) == blocks.percentile_factors(seconds, 95, 95)


def test_a_stall_in_one_second_of_ten_widens_the_bounds_of_p95() -> None:
    calm = [[(1000, 95), (1100, 5)]] * 60
    stalled = [[(1_500_000, 100)] if second % 10 == 0 else calm[0] for second in range(60)]
    assert blocks.percentile_factors(calm, 95, 95) == (1.0, 1.0)
    low, _ = blocks.percentile_factors(stalled, 95, 95)
    assert low <= 1
    burst = [[(1_500_000, 100)] if second < 3 else calm[0] for second in range(60)]
    assert blocks.percentile_factors(burst, 95, 95)[1] > 1000


def test_few_seconds_give_wide_bounds_and_one_gives_none() -> None:
    dice = random.Random(2)  # noqa: S311
    long, short = waves(300, dice), waves(6, dice)
    widths = [
        math.log(high / low)
        for low, high in (blocks.percentile_factors(one, 95, 95) for one in (long, short))
    ]
    assert widths[0] < widths[1]
    assert blocks.percentile_factors(waves(1, dice), 95, 95) == (0.0, math.inf)
    assert blocks.percentile_factors([[], []], 95, 95) == (0.0, math.inf)
    assert blocks.mean_bounds([5.0], 95) == (-math.inf, math.inf)


def test_a_steady_rate_has_narrow_bounds_and_a_wandering_one_wide_ones() -> None:
    steady = blocks.mean_bounds([100.0, 101.0, 99.0] * 20, 95)
    wandering = blocks.mean_bounds([100.0 + 50 * math.sin(second / 5) for second in range(60)], 95)
    assert steady[0] < 100 < steady[1]
    assert wandering[1] - wandering[0] > 5 * (steady[1] - steady[0])


@pytest.mark.parametrize(("seconds", "expected"), [(1, 1), (3, 1), (10, 2), (60, 8), (300, 17)])
def test_the_length_of_a_block_grows_with_the_run(seconds: int, expected: int) -> None:
    assert blocks.block_s(seconds) == expected
