from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf.histogram import LatencyHistogram, rounded_us

latencies_s = st.floats(1e-6, 1e4)
many = st.lists(latencies_s, min_size=1, max_size=200)
percents = st.floats(0.1, 100)


def _histogram(latencies: list[float]) -> LatencyHistogram:
    histogram = LatencyHistogram()
    for latency_s in latencies:
        histogram.record(latency_s)
    return histogram


@given(latencies_s)
def test_three_digits_are_kept(latency_s: float) -> None:
    assert math.isclose(rounded_us(latency_s), latency_s * 1e6, rel_tol=0.005, abs_tol=0.5)


@given(latencies_s, latencies_s)
def test_order_is_kept(one_s: float, other_s: float) -> None:
    assert rounded_us(min(one_s, other_s)) <= rounded_us(max(one_s, other_s))


@given(many, percents)
def test_a_percentile_is_the_latency_of_its_rank(latencies: list[float], percent: float) -> None:
    rank = max(1, math.ceil(len(latencies) * percent / 100))
    exact_us = rounded_us(sorted(latencies)[rank - 1])
    assert _histogram(latencies).percentile_ms(percent) == exact_us / 1000


@given(many, percents, percents)
def test_percentiles_rise(latencies: list[float], one: float, other: float) -> None:
    histogram = _histogram(latencies)
    assert histogram.percentile_ms(min(one, other)) <= histogram.percentile_ms(max(one, other))
    assert histogram.percentile_ms(100) == histogram.max_ms()


@given(many, many)
def test_adding_is_recording_both(one: list[float], other: list[float]) -> None:
    added = _histogram(one)
    added.add(_histogram(other))
    assert added.counts() == _histogram(one + other).counts()


@given(many)
def test_counts_make_the_same_histogram_again(latencies: list[float]) -> None:
    counts = _histogram(latencies).counts()
    assert LatencyHistogram(counts).counts() == counts
    assert len(LatencyHistogram(counts)) == len(latencies)


@pytest.mark.parametrize(
    "figure", [LatencyHistogram.mean_ms, LatencyHistogram.max_ms, lambda empty: empty.percentile_ms(50)]
)
def test_nothing_has_no_figures(figure: Callable[[LatencyHistogram], float]) -> None:
    assert math.isnan(figure(LatencyHistogram()))
