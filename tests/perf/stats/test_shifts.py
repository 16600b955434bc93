"""Exact distributions against plain enumeration, and intervals against the tests that they invert."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable

import numpy as np
import pytest

from choirbook_perf.stats.shifts import Shifts, paired, pairs_needed, runs_needed, unpaired


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_signed_ranks_are_distributed_as_enumeration_says(count: int) -> None:
    sums = [
        sum(rank for rank, sign in enumerate(signs, 1) if sign)
        for signs in itertools.product((0, 1), repeat=count)
    ]
    expected = [sum(each <= k for each in sums) / len(sums) for k in range(count * (count + 1) // 2 + 1)]
    assert np.allclose(paired([1.0] * count).cumulative, expected)


@pytest.mark.parametrize(("old", "new"), [(1, 1), (2, 3), (4, 4), (5, 3)])
def test_rank_sums_are_distributed_as_enumeration_says(old: int, new: int) -> None:
    counts = []
    for chosen in itertools.combinations(range(old + new), new):
        rest = set(range(old + new)) - set(chosen)
        counts.append(sum(mine > theirs for mine in chosen for theirs in rest))
    expected = [sum(each <= k for each in counts) / len(counts) for k in range(old * new + 1)]
    assert np.allclose(unpaired([0.0] * old, [0.0] * new).cumulative, expected)


@pytest.mark.parametrize(("count", "least"), [(8, 0), (10, 3), (20, 37)])
def test_critical_values_at_99_percent_are_those_of_the_tables(count: int, least: int) -> None:
    # Hollander, Wolfe and Chicken, table A.4: the largest rank sum that is significant, two-sided.
    points = [float(value) for value in range(count)]
    shifts = paired(points)
    assert shifts.interval(0.01)[0] == shifts.points[least]
    assert shifts.interval(0.01)[1] == shifts.points[-1 - least]


def test_the_estimate_is_the_median_of_the_averages_of_all_pairs() -> None:
    assert paired([1.0, 2.0, 30.0]).estimate() == 8.75
    assert unpaired([1.0, 2.0], [4.0, 8.0]).estimate() == 4.5
    assert math.isnan(paired([]).estimate())


def test_too_few_values_bound_nothing() -> None:
    assert paired([1.0] * 7).interval(0.01) == (-math.inf, math.inf)
    assert paired([1.0] * 8).interval(0.01) == (1.0, 1.0)
    assert pairs_needed(0.01) == 8
    assert unpaired([1.0] * 4, [2.0] * 4).interval(0.01) == (-math.inf, math.inf)
    assert unpaired([1.0] * 5, [2.0] * 5).interval(0.01) == (1.0, 1.0)
    assert runs_needed(0.01) == 5


@pytest.mark.parametrize("seed", range(20))
def test_an_interval_holds_the_limits_that_are_not_rejected(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - a sample, no secret
    shifts = paired([dice.gauss(0.1, 1) for _ in range(15)])
    low, high = shifts.interval(0.05)
    for limit in (dice.uniform(-1, 1) for _ in range(50)):
        assert (shifts.p_above(limit) <= 0.025) == (limit < low)
        assert (shifts.p_below(limit) <= 0.025) == (limit > high)


def few_pairs(dice: random.Random) -> Shifts:
    return paired([0.3 + dice.gauss(0, 1) for _ in range(12)])


def few_runs(dice: random.Random) -> Shifts:
    return unpaired([dice.gauss(0, 1) for _ in range(7)], [0.3 + dice.gauss(0, 1) for _ in range(9)])


@pytest.mark.parametrize("draw", [few_pairs, few_runs])
def test_a_shift_is_missed_as_often_as_promised(draw: Callable[[random.Random], Shifts]) -> None:
    dice = random.Random(1)  # noqa: S311 - a sample, no secret
    intervals = [draw(dice).interval(0.05) for _ in range(2000)]
    missed = sum(not low <= 0.3 <= high for low, high in intervals) / len(intervals)
    assert 0.03 < missed < 0.062
