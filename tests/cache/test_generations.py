from hypothesis import given
from hypothesis import strategies as st

from carrel.cache.generations import Generations


def begun(counter: int) -> Generations:
    generations = Generations()
    generations.begin(counter, is_news=False)
    return generations


@given(start=st.integers(0, 100), count=st.integers(0, 50))
def test_messages_in_order_are_not_taken_for_lost(start: int, count: int) -> None:
    generations = begun(start)
    for number in range(start + 1, start + count + 1):
        assert not generations.hear(number)
        assert not generations.compare(number)
    assert not generations.compare(start + count)


@given(heard=st.sets(st.integers(1, 20)))
def test_every_lost_message_is_noticed(heard: set[int]) -> None:
    """Twenty messages were sent; those not heard are lost, the last ones too."""
    generations = begun(0)
    noticed = [generations.hear(number) for number in sorted(heard)]
    noticed += [generations.compare(20), generations.compare(20)]
    assert any(noticed) is (len(heard) < 20)


def test_a_counter_that_is_ahead_of_a_message_under_way_is_no_loss() -> None:
    generations = begun(5)
    assert not generations.compare(6)
    assert not generations.hear(6)
    assert not generations.compare(7)
    assert not generations.hear(7)
    assert not generations.compare(7)


def test_a_counter_that_was_read_before_a_message_came_is_no_loss() -> None:
    generations = begun(5)
    generations.hear(6)
    assert not generations.compare(5)
    assert not generations.compare(6)


def test_a_counter_that_began_anew_is_a_loss_once() -> None:
    generations = begun(50)
    assert [generations.compare(2) for _ in range(4)] == [False, True, False, False]
    assert not generations.hear(3)


def test_a_connection_that_was_down_lost_what_was_counted_meanwhile() -> None:
    generations = begun(5)
    assert not generations.begin(5, is_news=True)
    assert generations.begin(7, is_news=False)
    assert generations.begin(0, is_news=False)
    assert not generations.hear(1)


def test_the_first_connection_goes_by_whether_anything_was_told_since_the_start() -> None:
    assert not Generations().begin(9, is_news=False)
    assert Generations().begin(9, is_news=True)
