from hypothesis import given
from hypothesis import strategies as st

from choirbook.redis.loss_detector import LossDetector, Position


def begun(counter: int) -> LossDetector:
    detector = LossDetector()
    detector.begin(counter, is_news=False)
    return detector


@given(start=st.integers(0, 100), count=st.integers(0, 50))
def test_messages_in_order_are_not_taken_for_lost(start: int, count: int) -> None:
    detector = begun(start)
    for number in range(start + 1, start + count + 1):
        assert detector.record(number) is Position.NEXT
        assert not detector.compare(number)
    assert not detector.compare(start + count)


@given(on_news=st.sets(st.integers(1, 20)))
def test_every_lost_message_is_noticed(on_news: set[int]) -> None:
    """Twenty messages were sent; those not heard are lost, the last ones too."""
    detector = begun(0)
    noticed = [detector.record(number) is Position.AFTER_A_GAP for number in sorted(on_news)]
    noticed += [detector.compare(20), detector.compare(20)]
    assert any(noticed) is (len(on_news) < 20)


@given(numbers=st.lists(st.integers(1, 20)))
def test_no_message_is_heard_twice_and_none_out_of_its_turn(numbers: list[int]) -> None:
    detector = begun(0)
    on_news = [
        number for number in numbers if detector.record(number) in {Position.NEXT, Position.AFTER_A_GAP}
    ]
    assert on_news == sorted(set(on_news))


def test_counter_that_is_ahead_of_a_message_under_way_is_no_loss() -> None:
    detector = begun(5)
    assert not detector.compare(6)
    assert detector.record(6) is Position.NEXT
    assert not detector.compare(7)
    assert detector.record(7) is Position.NEXT
    assert not detector.compare(7)


def test_counter_that_was_read_before_a_message_came_is_no_loss() -> None:
    detector = begun(5)
    detector.record(6)
    assert not detector.compare(5)
    assert not detector.compare(6)


def test_counter_that_went_back_is_a_loss_and_takes_nothing_along() -> None:
    detector = begun(50)
    assert [detector.compare(2) for _ in range(4)] == [False, True, False, True]
    assert detector.last == 50
    assert detector.record(3) is Position.REPLAY
    assert detector.record(51) is Position.NEXT


def test_connection_that_was_down_lost_what_was_counted_meanwhile() -> None:
    detector = begun(5)
    assert not detector.begin(5, is_news=True)
    assert detector.begin(7, is_news=False)
    # What came between the subscription and the look at the counter was made good with the loss.
    assert detector.record(6) is Position.COVERED
    assert detector.record(8) is Position.NEXT
    assert detector.record(6) is Position.REPLAY


def test_message_that_comes_after_its_loss_was_noticed_is_no_replay() -> None:
    detector = begun(5)
    assert [detector.compare(7), detector.compare(7)] == [False, True]
    assert detector.record(6) is Position.COVERED
    assert detector.record(5) is Position.REPLAY


def test_first_connection_goes_by_whether_anything_was_told_since_the_start() -> None:
    assert not LossDetector().begin(9, is_news=False)
    assert LossDetector().begin(9, is_news=True)


def test_what_was_sent_before_the_first_connection_is_a_replay() -> None:
    detector = begun(1000)
    assert detector.record(900) is Position.REPLAY
    assert detector.record(1000) is Position.COVERED
