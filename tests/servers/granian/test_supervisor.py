"""Pause before a dead worker is replaced."""

from choirbook.servers.granian.supervisor import MAX_EARLY_DEATHS, MAX_PAUSE_S, pause_s


def test_worker_that_had_lived_is_replaced_at_once() -> None:
    assert pause_s(0) == 0


def test_pause_grows_with_each_early_death_up_to_its_bound() -> None:
    pauses_s = [pause_s(deaths) for deaths in range(MAX_EARLY_DEATHS + 5)]

    assert pauses_s == sorted(pauses_s)
    assert 0 < pauses_s[1] < pauses_s[2]
    assert max(pauses_s) == MAX_PAUSE_S
