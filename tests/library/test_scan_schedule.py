from hypothesis import given
from hypothesis import strategies as st

from choirbook.library.scan_schedule import MAX_SCAN_SHARE, RETRY_S, ScanSchedule

TIMES_S = st.floats(0.0, 1e6)
COSTS_S = st.floats(0.0, 1e4)


def test_the_first_scan_is_due_at_once() -> None:
    assert ScanSchedule(3.0).due_s == 0.0


def test_the_next_one_comes_after_the_pause() -> None:
    schedule = ScanSchedule(3.0)
    schedule.end(10.0, 0.01)
    assert schedule.due_s == 13.0


def test_one_that_is_wanted_comes_as_soon_as_the_share_of_scans_allows() -> None:
    schedule = ScanSchedule(3.0)
    schedule.end(10.0, 0.01)
    schedule.want()
    assert schedule.due_s == 10.0 + 0.01 / MAX_SCAN_SHARE
    schedule.begin()
    assert schedule.due_s == 13.0


def test_what_is_wanted_while_a_scan_is_under_way_is_another_one() -> None:
    schedule = ScanSchedule(3.0)
    schedule.want()
    schedule.begin()
    schedule.want()
    schedule.end(10.0, 0.0)
    assert schedule.due_s == 10.0


def test_after_a_fault_it_is_tried_again_after_a_moment_and_not_at_once() -> None:
    schedule = ScanSchedule(3600.0)
    schedule.retry(10.0)
    assert schedule.due_s == 10.0 + RETRY_S


@given(rescan_s=st.floats(0.0, 3600.0), now_s=TIMES_S, cost_s=COSTS_S)
def test_scans_take_no_more_than_their_share(rescan_s: float, now_s: float, cost_s: float) -> None:
    schedule = ScanSchedule(rescan_s)
    schedule.end(now_s, cost_s)
    assert schedule.due_s >= now_s + max(rescan_s, cost_s / MAX_SCAN_SHARE)
    schedule.want()
    assert schedule.due_s >= now_s + cost_s / MAX_SCAN_SHARE


def test_a_scan_that_is_wanted_later_comes_then_and_no_sooner_than_it_may() -> None:
    schedule = ScanSchedule(3600.0)
    schedule.end(10.0, 0.2)
    schedule.want_at(20.0)
    schedule.want_at(30.0)
    assert schedule.due_s == 20.0
    schedule.want_at(11.0)
    assert schedule.due_s == 10.0 + 0.2 / MAX_SCAN_SHARE
    schedule.begin()
    schedule.end(40.0, 0.0)
    schedule.want_at(float("inf"))
    assert schedule.due_s == 40.0 + 3600.0
