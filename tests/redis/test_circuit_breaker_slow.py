"""From which slow answer on, exactly, the breaker opens."""

from __future__ import annotations

from choirbook.redis.circuit_breaker import SLOW_FOR_S, SLOW_IN_A_ROW, SLOW_S, CircuitBreaker

SLOW = 2 * SLOW_S


def closed() -> CircuitBreaker:
    breaker = CircuitBreaker()
    breaker.close(0.0)
    return breaker


def test_time_of_slow_answers_counts_from_the_first_one() -> None:
    breaker = closed()
    assert not breaker.answer(10.0, SLOW, 0)
    assert not breaker.answer(10.0 + SLOW_FOR_S / 2, SLOW, 0)
    assert SLOW_IN_A_ROW == 3
    assert breaker.answer(10.0 + 1.01 * SLOW_FOR_S, SLOW, 0)


def test_fewer_slow_answers_never_open_it_however_long_they_last() -> None:
    breaker = closed()
    answers = [breaker.answer(10.0 + 100 * SLOW_FOR_S * number, SLOW, 0) for number in range(SLOW_IN_A_ROW)]
    assert answers == [False] * (SLOW_IN_A_ROW - 1) + [True]


def test_answer_of_just_the_limit_is_not_slow() -> None:
    breaker = closed()
    assert not any(breaker.answer(10.0 + number, SLOW_S, 0) for number in range(10))
    assert breaker.is_closed
