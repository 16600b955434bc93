from collections.abc import Sequence
from itertools import accumulate
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.observe.quantiles import quantile_s

BOUNDS_S = (0.25, 0.5, 1.0)
GREATEST_S = BOUNDS_S[-1]
BUCKETS = len(BOUNDS_S) + 1
COUNTS = st.lists(st.integers(0, 1000), min_size=BUCKETS, max_size=BUCKETS)


def of_counts(counts: Sequence[float], share: float) -> float | None:
    return quantile_s(list(zip((*BOUNDS_S, inf), accumulate(counts), strict=True)), share)


@given(counts=COUNTS, share=st.floats(0.01, 1.0))
def test_a_quantile_lies_where_so_many_are_below_it(counts: list[int], share: float) -> None:
    found = of_counts(counts, share)
    if not sum(counts):
        assert found is None
        return
    assert found is not None
    assert 0 <= found <= GREATEST_S
    up_to = sum(count for count, bound_s in zip(counts, BOUNDS_S, strict=False) if bound_s <= found)
    assert up_to <= share * sum(counts) + 1e-6 or found == GREATEST_S


@given(counts=COUNTS)
def test_quantiles_grow_with_their_share(counts: list[int]) -> None:
    found = [of_counts(counts, share) for share in (0.5, 0.95, 0.99)]
    assert found == sorted(found, key=lambda value: value or 0.0)


@pytest.mark.parametrize(
    ("counts", "share", "expected_s"),
    [((100, 0, 0, 0), 0.5, 0.125), ((50, 50, 0, 0), 0.75, 0.375), ((0, 0, 10, 0), 0.5, 0.75)],
)
def test_a_quantile_is_placed_within_its_bucket(
    counts: tuple[int, ...], share: float, expected_s: float
) -> None:
    assert of_counts(counts, share) == pytest.approx(expected_s)


def test_what_took_longer_than_all_bounds_counts_as_the_greatest() -> None:
    assert of_counts((0, 0, 0, 3), 0.5) == GREATEST_S


def test_there_is_none_of_no_histogram() -> None:
    assert quantile_s([], 0.5) is None
