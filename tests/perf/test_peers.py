import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf.peers import PeerSeries, Sample, ratio, rows_of

figures = st.floats(0.1, 1e5)
samples = st.builds(Sample, figures, figures, figures, figures, figures, st.integers(1, 1000))
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
        assert row.requests == sum(each.requests for each in taken)


def test_without_a_reference_there_is_no_ratio() -> None:
    assert ratio(PeerSeries("a", "x", [Sample(1, 1, 1, 1, 1, 1)]), None) is None
    assert ratio(PeerSeries("a", "x", []), PeerSeries("b", "x", [])) is None
