import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf import figures
from choirbook_perf.plots.scales import Scale, linear, log, nines, seconds

POSITIVE = st.floats(min_value=1e-4, max_value=1e6)


def labels(scale: Scale) -> list[str]:
    return [tick.label for tick in scale.ticks() if tick.label]


@given(POSITIVE)
def test_linear_axis_starts_at_zero_and_holds_the_highest(highest: float) -> None:
    scale = linear(highest)
    assert scale.position(0) == 0
    assert scale.high >= highest * 0.999
    assert scale.high <= highest * 2.01
    assert 2 <= len(scale.ticks()) <= 8


@given(st.lists(POSITIVE, min_size=1))
def test_log_axis_holds_all_values_between_round_figures(values: list[float]) -> None:
    scale = log(values, figures.latency)
    assert scale.low <= min(values) * 1.001
    assert scale.high >= max(values) * 0.999
    assert scale.high / scale.low >= 9.99
    places = [tick.position for tick in scale.ticks()]
    assert places == sorted(places)
    assert len(labels(scale)) >= 2


def test_equal_ratios_are_equally_far_apart_on_a_log_axis() -> None:
    scale = log([1, 1000], figures.latency)
    assert scale.position(10) == pytest.approx(1 / 3)
    assert scale.position(100) == pytest.approx(2 / 3)
    assert labels(scale) == ["1 ms", "10 ms", "100 ms", "1 s"]
    assert labels(log([0.2, 50], figures.latency)) == ["200 µs", "1 ms", "10 ms", "50 ms"]


def test_short_log_axis_has_labels_between_the_powers_of_ten() -> None:
    assert labels(log([0.3, 4], figures.latency)) == ["200 µs", "500 µs", "1 ms", "2 ms", "5 ms"]


def test_log_axis_of_no_values_or_zeros_is_still_an_axis() -> None:
    assert len(log([], figures.latency).ticks()) >= 2
    assert log([0.0], figures.latency).position(0.0) == 0.0


@pytest.mark.parametrize(("longest_s", "last"), [(3, "3 s"), (59, "45 s"), (300, "5:00"), (3600, "60:00")])
def test_time_axis_has_marks_at_round_times(longest_s: int, last: str) -> None:
    found = labels(seconds(longest_s, figures.clock))
    assert found[0] == "0 s"
    assert found[-1] == last
    assert len(found) <= 6


def test_each_nine_is_as_wide_as_the_last_one() -> None:
    scale = nines(50_000)
    places = [scale.position(percent) for percent in (0, 90, 99, 99.9, 99.99, 100)]
    assert places == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1])
    assert labels(scale) == ["0%", "50%", "90%", "99%", "99.9%", "99.99%"]


@pytest.mark.parametrize(
    ("samples", "ends"), [(0, "99%"), (500, "99%"), (7_000, "99.9%"), (10**9, "99.999%")]
)
def test_axis_of_percentiles_ends_where_too_few_samples_are_left(samples: int, ends: str) -> None:
    assert labels(nines(samples))[-1] == ends


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (None, "\N{EN DASH}"),
        (float("nan"), "\N{EN DASH}"),
        (0, "0"),
        (0.012345, "0.0123"),
        (1.5, "1.50"),
        (99.95, "100.0"),
        (1234.5, "1,234"),
        (float("inf"), "∞"),
    ],
)
def test_figures_have_three_significant_digits(value: float | None, spelled: str) -> None:
    assert figures.significant(value) == spelled


def test_what_is_not_all_is_not_spelled_as_all() -> None:
    assert figures.percent(0.999999) == "99.99%"
    assert figures.percent(1) == "100%"
    assert figures.percent(0.5) == "50%"
    assert figures.percent(None) == figures.MISSING


def test_units_suit_the_figure() -> None:
    assert [figures.latency(value) for value in (0.2, 2, 2000)] == ["200 µs", "2 ms", "2 s"]
    assert [figures.clock(value) for value in (5, 61, 600)] == ["5 s", "1:01", "10:00"]
    assert figures.bytes_(8 * 2**30) == "8.00 GiB"
    assert figures.bytes_(20) == "20.0 B"
