import statistics

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf.peers import SATURATED, PeerSeries, Sample, ratio, rows_of

figures = st.floats(0.1, 1e5)
samples = st.builds(
    Sample, figures, figures, figures, figures, figures, st.integers(1, 1000), figures, figures
)
rounds = st.lists(samples, min_size=1, max_size=7)


@given(rounds)
def test_a_server_costs_once_itself(taken: list[Sample]) -> None:
    one = PeerSeries("choirbook", "GET", taken)
    assert ratio(one, one) == 1.0


@given(rounds, st.floats(0.01, 100))
def test_a_server_that_costs_so_many_times_more_has_that_ratio(taken: list[Sample], factor: float) -> None:
    slow = PeerSeries("slow", "GET", [each._replace(cpu_us=each.cpu_us * factor) for each in taken])
    assert ratio(slow, PeerSeries("choirbook", "GET", taken)) == pytest.approx(factor)


@given(rounds, rounds)
def test_a_ratio_lies_between_those_of_the_rounds(mine: list[Sample], theirs: list[Sample]) -> None:
    found = ratio(PeerSeries("a", "GET", mine), PeerSeries("b", "GET", theirs))
    each = [a.cpu_us / b.cpu_us for a, b in zip(mine, theirs, strict=False)]
    assert found is not None
    assert min(each) <= found <= max(each)


@given(st.dictionaries(st.tuples(st.sampled_from("abc"), st.sampled_from("xy")), rounds))
def test_the_table_has_a_row_for_every_series_cheapest_first(
    by_name: dict[tuple[str, str], list[Sample]],
) -> None:
    series = [PeerSeries(peer, case, taken) for (peer, case), taken in by_name.items()]
    rows = rows_of(series)
    assert {(row.peer, row.case) for row in rows} == set(by_name)
    for case in "xy":
        costs = [row.cpu_us for row in rows if row.case == case]
        assert costs == sorted(costs)
    for row in rows:
        taken = by_name[row.peer, row.case]
        assert row.cpu_us == statistics.median(each.cpu_us for each in taken)
        assert row.cpu_low_us <= row.cpu_us <= row.cpu_high_us
        assert row.requests == sum(each.requests for each in taken)


@pytest.mark.parametrize(
    ("busy", "capacity"), [(1.0, 40_000.0), (SATURATED, 40_000.0), (0.79, None), (0.0, None)]
)
def test_only_a_saturated_server_has_a_throughput(busy: float, capacity: float | None) -> None:
    taken = Sample(busy * 1e6 / 40_000, 40_000.0, 1, 1, 1, 1)
    [row] = rows_of([PeerSeries("nginx", "GET", [taken])])
    assert row.server_busy == pytest.approx(busy)
    assert row.capacity == capacity


def test_a_file_of_format_1_lacks_only_what_it_did_not_measure() -> None:
    read = msgspec.convert([20.0, 50_000.0, 1.0, 2.0, 3.0, 100], Sample)
    assert (read.generator_busy, read.memory_mib) == (None, None)
    [row] = rows_of([PeerSeries("choirbook", "GET", [read])])
    assert (row.generator_busy, row.memory_mib) == (None, None)
    assert row.capacity == 50_000


def test_without_a_reference_there_is_no_ratio() -> None:
    assert ratio(PeerSeries("a", "x", [Sample(1, 1, 1, 1, 1, 1)]), None) is None
    assert ratio(PeerSeries("a", "x", []), PeerSeries("b", "x", [])) is None
