from hypothesis import given
from hypothesis import strategies as st

from choirbook.redis.circuit_breaker import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    SLOW_IN_A_ROW,
    SLOW_S,
    STEADY_S,
    CircuitBreaker,
    is_slow,
)

HEALED_WITHIN_S = 3.0


def closed(now_s: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker()
    breaker.close(now_s)
    return breaker


def test_nothing_is_let_through_before_the_first_probe() -> None:
    assert not CircuitBreaker().is_closed
    assert CircuitBreaker().next_probe_s < 0


def test_one_failure_opens_it() -> None:
    breaker = closed()
    assert breaker.fail(10.0)
    assert not breaker.is_closed
    assert breaker.next_probe_s == 10.0 + FIRST_PAUSE_S


def test_failures_of_those_who_asked_before_count_once() -> None:
    breaker = closed()
    breaker.fail(10.0)
    assert not any(breaker.fail(10.0 + delay_s) for delay_s in (0.0, 0.01, 0.2))
    assert breaker.next_probe_s == 10.0 + FIRST_PAUSE_S


def test_a_call_that_began_before_it_opened_is_no_failed_probe() -> None:
    breaker = closed()
    breaker.fail(10.0)
    assert not breaker.fail(10.5, asked_s=9.9)
    assert breaker.next_probe_s == 10.0 + FIRST_PAUSE_S


def test_a_call_that_began_before_it_closed_does_not_open_it() -> None:
    breaker = closed()
    breaker.fail(10.0)
    breaker.close(10.3)
    assert not breaker.fail(10.4, asked_s=9.9)
    assert breaker.is_closed
    assert breaker.fail(10.5, asked_s=10.4)


@given(probes=st.integers(1, 1000))
def test_it_is_probed_often_enough_however_long_it_was_open(probes: int) -> None:
    breaker = closed()
    breaker.fail(10.0)
    for _ in range(probes):
        before_s = breaker.next_probe_s
        breaker.fail(before_s)
        assert FIRST_PAUSE_S < breaker.next_probe_s - before_s <= LONGEST_PAUSE_S < HEALED_WITHIN_S
        assert not breaker.is_closed
    breaker.close(breaker.next_probe_s)
    assert breaker.is_closed


def test_a_level_that_comes_and_goes_is_probed_less_and_less_often() -> None:
    breaker = closed()
    breaker.fail(10.0)
    breaker.close(10.25)
    breaker.fail(10.3)
    assert breaker.next_probe_s == 10.3 + 2 * FIRST_PAUSE_S


def test_a_level_that_was_well_for_long_is_given_a_quick_second_chance() -> None:
    breaker = closed()
    breaker.fail(10.0)
    breaker.close(20.0)
    breaker.fail(20.0 + STEADY_S)
    assert breaker.next_probe_s == 20.0 + STEADY_S + FIRST_PAUSE_S


def test_slow_answers_in_a_row_open_it() -> None:
    breaker = closed()
    slow_s = 2 * SLOW_S
    answers = [breaker.answer(10.0 + number * slow_s, slow_s, 0) for number in range(20)]
    assert answers.count(True) == 1
    assert not breaker.is_closed
    assert breaker.next_probe_s > 10.0


def test_a_quick_answer_in_between_keeps_it_closed() -> None:
    breaker = closed()
    for number in range(100):
        took_s = SLOW_S / 2 if number % SLOW_IN_A_ROW == 0 else 2 * SLOW_S
        assert not breaker.answer(10.0 + number, took_s, 0)
    assert breaker.is_closed


def test_one_stall_that_makes_many_answers_slow_keeps_it_closed() -> None:
    breaker = closed()
    assert not any(breaker.answer(10.0 + number / 1000, 2 * SLOW_S, 0) for number in range(50))
    assert breaker.is_closed


def test_a_long_answer_may_take_longer() -> None:
    assert is_slow(2 * SLOW_S, 0)
    assert not is_slow(1.5 * SLOW_S, 1024 * 1024)


def test_a_level_that_was_slow_is_taken_for_quick_once_it_has_healed() -> None:
    breaker = closed()
    for number in range(20):
        breaker.answer(10.0 + number, 2 * SLOW_S, 0)
    breaker.close(40.0)
    assert not breaker.answer(40.1, 2 * SLOW_S, 0)
    assert breaker.is_closed
