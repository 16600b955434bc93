from hypothesis import given
from hypothesis import strategies as st

from choirbook.library.schedule import MAX_SURVEY_SHARE, RETRY_S, Timetable

TIMES_S = st.floats(0.0, 1e6)
COSTS_S = st.floats(0.0, 1e4)


def test_the_first_survey_is_due_at_once() -> None:
    assert Timetable(3.0).due_s == 0.0


def test_the_next_one_comes_after_the_pause() -> None:
    timetable = Timetable(3.0)
    timetable.end(10.0, 0.01)
    assert timetable.due_s == 13.0


def test_one_that_is_wanted_comes_as_soon_as_the_share_of_surveys_allows() -> None:
    timetable = Timetable(3.0)
    timetable.end(10.0, 0.01)
    timetable.want()
    assert timetable.due_s == 10.0 + 0.01 / MAX_SURVEY_SHARE
    timetable.begin()
    assert timetable.due_s == 13.0


def test_what_is_wanted_while_a_survey_is_under_way_is_another_one() -> None:
    timetable = Timetable(3.0)
    timetable.want()
    timetable.begin()
    timetable.want()
    timetable.end(10.0, 0.0)
    assert timetable.due_s == 10.0


def test_after_a_fault_it_is_tried_again_after_a_moment_and_not_at_once() -> None:
    timetable = Timetable(3600.0)
    timetable.retry(10.0)
    assert timetable.due_s == 10.0 + RETRY_S


@given(rescan_s=st.floats(0.0, 3600.0), now_s=TIMES_S, cost_s=COSTS_S)
def test_surveys_take_no_more_than_their_share(rescan_s: float, now_s: float, cost_s: float) -> None:
    timetable = Timetable(rescan_s)
    timetable.end(now_s, cost_s)
    assert timetable.due_s >= now_s + max(rescan_s, cost_s / MAX_SURVEY_SHARE)
    timetable.want()
    assert timetable.due_s >= now_s + cost_s / MAX_SURVEY_SHARE


def test_a_survey_that_is_wanted_later_comes_then_and_no_sooner_than_it_may() -> None:
    timetable = Timetable(3600.0)
    timetable.end(10.0, 0.2)
    timetable.want_at(20.0)
    timetable.want_at(30.0)
    assert timetable.due_s == 20.0
    timetable.want_at(11.0)
    assert timetable.due_s == 10.0 + 0.2 / MAX_SURVEY_SHARE
    timetable.begin()
    timetable.end(40.0, 0.0)
    timetable.want_at(float("inf"))
    assert timetable.due_s == 40.0 + 3600.0
