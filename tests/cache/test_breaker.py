from hypothesis import given
from hypothesis import strategies as st

from carrel.cache.breaker import FIRST_PAUSE_S, LONGEST_PAUSE_S, STEADY_S, Breaker

HEALED_WITHIN_S = 3.0


def closed(now_s: float = 0.0) -> Breaker:
    breaker = Breaker()
    breaker.heal(now_s)
    return breaker


def test_nothing_is_let_through_before_the_first_probe() -> None:
    assert not Breaker().is_closed
    assert Breaker().next_probe_s < 0


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


@given(probes=st.integers(1, 1000))
def test_it_is_probed_often_enough_however_long_it_was_open(probes: int) -> None:
    breaker = closed()
    breaker.fail(10.0)
    for _ in range(probes):
        before_s = breaker.next_probe_s
        breaker.fail(before_s)
        assert FIRST_PAUSE_S < breaker.next_probe_s - before_s <= LONGEST_PAUSE_S < HEALED_WITHIN_S
        assert not breaker.is_closed
    breaker.heal(breaker.next_probe_s)
    assert breaker.is_closed


def test_a_level_that_comes_and_goes_is_probed_less_and_less_often() -> None:
    breaker = closed()
    breaker.fail(10.0)
    breaker.heal(10.25)
    breaker.fail(10.3)
    assert breaker.next_probe_s == 10.3 + 2 * FIRST_PAUSE_S


def test_a_level_that_was_well_for_long_is_given_a_quick_second_chance() -> None:
    breaker = closed()
    breaker.fail(10.0)
    breaker.heal(20.0)
    breaker.fail(20.0 + STEADY_S)
    assert breaker.next_probe_s == 20.0 + STEADY_S + FIRST_PAUSE_S
