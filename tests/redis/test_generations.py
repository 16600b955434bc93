from hypothesis import given
from hypothesis import strategies as st

from choirbook.redis.generations import Generations, Place


def begun(counter: int) -> Generations:
    generations = Generations()
    generations.begin(counter, is_news=False)
    return generations


@given(start=st.integers(0, 100), count=st.integers(0, 50))
def test_messages_in_order_are_not_taken_for_lost(start: int, count: int) -> None:
    generations = begun(start)
    for number in range(start + 1, start + count + 1):
        assert generations.hear(number) is Place.NEXT
        assert not generations.compare(number)
    assert not generations.compare(start + count)


@given(heard=st.sets(st.integers(1, 20)))
def test_every_lost_message_is_noticed(heard: set[int]) -> None:
    """Twenty messages were sent; those not heard are lost, the last ones too."""
    generations = begun(0)
    noticed = [generations.hear(number) is Place.AFTER_A_GAP for number in sorted(heard)]
    noticed += [generations.compare(20), generations.compare(20)]
    assert any(noticed) is (len(heard) < 20)


@given(numbers=st.lists(st.integers(1, 20)))
def test_no_message_is_heard_twice_and_none_out_of_its_turn(numbers: list[int]) -> None:
    generations = begun(0)
    heard = [number for number in numbers if generations.hear(number) in {Place.NEXT, Place.AFTER_A_GAP}]
    assert heard == sorted(set(heard))


def test_counter_that_is_ahead_of_a_message_under_way_is_no_loss() -> None:
    generations = begun(5)
    assert not generations.compare(6)
    assert generations.hear(6) is Place.NEXT
    assert not generations.compare(7)
    assert generations.hear(7) is Place.NEXT
    assert not generations.compare(7)


def test_counter_that_was_read_before_a_message_came_is_no_loss() -> None:
    generations = begun(5)
    generations.hear(6)
    assert not generations.compare(5)
    assert not generations.compare(6)


def test_counter_that_went_back_is_a_loss_and_takes_nothing_along() -> None:
    generations = begun(50)
    assert [generations.compare(2) for _ in range(4)] == [False, True, False, True]
    assert generations.last == 50
    assert generations.hear(3) is Place.REPLAY
    assert generations.hear(51) is Place.NEXT


def test_connection_that_was_down_lost_what_was_counted_meanwhile() -> None:
    generations = begun(5)
    assert not generations.begin(5, is_news=True)
    assert generations.begin(7, is_news=False)
    # What came between the subscription and the look at the counter was made good with the loss.
    assert generations.hear(6) is Place.COVERED
    assert generations.hear(8) is Place.NEXT
    assert generations.hear(6) is Place.REPLAY


def test_message_that_comes_after_its_loss_was_noticed_is_no_replay() -> None:
    generations = begun(5)
    assert [generations.compare(7), generations.compare(7)] == [False, True]
    assert generations.hear(6) is Place.COVERED
    assert generations.hear(5) is Place.REPLAY


def test_first_connection_goes_by_whether_anything_was_told_since_the_start() -> None:
    assert not Generations().begin(9, is_news=False)
    assert Generations().begin(9, is_news=True)


def test_what_was_sent_before_the_first_connection_is_a_replay() -> None:
    generations = begun(1000)
    assert generations.hear(900) is Place.REPLAY
    assert generations.hear(1000) is Place.COVERED
