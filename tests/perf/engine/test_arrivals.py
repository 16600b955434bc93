"""Times at which requests are due."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf.engine.arrivals import due_times
from choirbook_perf.results import RateStage


def dice() -> Random:
    return Random(1)  # noqa: S311 nothing secret


stages = st.lists(st.builds(RateStage, st.floats(0.1, 20), st.floats(0.5, 50)), min_size=1, max_size=4)


@given(stages, st.sampled_from(["constant", "poisson"]))
def test_they_come_in_order_and_within_the_stages(asked: list[RateStage], arrivals: str) -> None:
    due = list(due_times(asked, arrivals, dice()))
    assert due == sorted(due)
    assert all(0 <= at < sum(stage.duration_s for stage in asked) + 1 / asked[-1].rate for at in due)


def test_constant_ones_have_equal_distances_over_all_stages() -> None:
    due = list(due_times([RateStage(2, 2), RateStage(1, 4)], "constant", dice()))
    assert due == [0, 0.5, 1.0, 1.5, 2.0, 2.25, 2.5, 2.75]


def test_distances_of_poisson_arrivals_are_exponential() -> None:
    due = list(due_times([RateStage(100, 200)], "poisson", dice()))
    distances = [later - earlier for earlier, later in pairwise(due)]
    assert fmean(distances) == pytest.approx(1 / 200, rel=0.03)
    # The standard deviation of an exponential distribution is its mean.
    assert pstdev(distances) == pytest.approx(1 / 200, rel=0.05)
