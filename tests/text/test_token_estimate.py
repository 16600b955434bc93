from hypothesis import given
from hypothesis import strategies as st

from choirbook.text.token_estimate import BYTES_PER_TOKEN, estimate_tokens


def test_an_empty_text_takes_no_token_and_any_other_at_least_one() -> None:
    assert [estimate_tokens(size) for size in (0, 1, 4, 5)] == [0, 1, 1, 2]


@given(st.integers(0, 10**9), st.integers(0, 10**6))
def test_more_text_never_takes_fewer_tokens(size: int, more: int) -> None:
    assert estimate_tokens(size) <= estimate_tokens(size + more)
    assert 0 <= estimate_tokens(size) * BYTES_PER_TOKEN - size < BYTES_PER_TOKEN
