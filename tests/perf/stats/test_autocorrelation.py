from __future__ import annotations

import random

import pytest

from choirbook_perf.stats.autocorrelation import lag_one, widening


def course(correlation: float, length: int, dice: random.Random) -> list[float]:
    values = [dice.gauss(0, 1)]
    for _ in range(length - 1):
        values.append(correlation * values[-1] + dice.gauss(0, (1 - correlation**2) ** 0.5))
    return values


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.4, 0.7])
def test_the_correlation_of_a_course_is_found(correlation: float) -> None:
    dice = random.Random(3)  # noqa: S311 - a sample, no secret
    assert lag_one(course(correlation, 5000, dice)) == pytest.approx(correlation, abs=0.04)


def test_no_course_earns_a_narrower_interval() -> None:
    assert widening([1.0, -1.0] * 10) == 1
    assert widening([1.0] * 10) == 1
    assert widening([1.0, 2.0]) == 1


def test_a_drift_makes_an_interval_three_times_as_wide_at_most() -> None:
    assert widening([float(value) for value in range(30)]) == pytest.approx(3)
