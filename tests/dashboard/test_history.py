from choirbook.dashboard.history import NOW_S, STEP_S, WINDOW_S, History
from choirbook.observe.figures import Sample
from choirbook.observe.metrics import RESPONSES

START_S = 1_000_000.0


def sample(at_s: float, responses: float) -> Sample:
    return Sample(at_s, {}, {RESPONSES: responses}, 0.0)


def filled(seconds: int, per_s: float = 10.0) -> History:
    history = History()
    for second in range(seconds + 1):
        history.add(sample(START_S + second, per_s * second))
    return history


def test_now_is_of_the_last_seconds() -> None:
    history = filled(60)
    history.add(sample(START_S + 61, 600 + 1010))
    now = history.now()
    assert now.seconds == NOW_S
    assert now.requests == 9 * 10 + 1010


def test_there_is_a_point_each_step() -> None:
    history = filled(60)
    assert len(history.points) == 60 / STEP_S
    assert {point.requests_per_s for point in history.points} == {10.0}
    assert {point.seconds for point in history.points} == {STEP_S}


def test_a_quarter_of_an_hour_is_kept_and_no_more() -> None:
    history = filled(3000)
    assert history.window().seconds <= WINDOW_S
    assert history.window().seconds >= WINDOW_S - STEP_S
    assert history.points[-1].at_s - history.points[0].at_s <= WINDOW_S
    assert len(history.points) <= WINDOW_S / STEP_S + 1


def test_the_window_begins_with_the_first_sample_while_there_are_few() -> None:
    assert filled(20).window().seconds == 20


def test_after_a_pause_longer_than_the_window_it_begins_anew() -> None:
    history = filled(60)
    assert history.add(sample(START_S + 60 + 2 * WINDOW_S, 5000)) is None
    assert not history.points
    history.add(sample(START_S + 61 + 2 * WINDOW_S, 5007))
    assert (history.now().seconds, history.now().requests) == (1.0, 7.0)
    assert history.window().requests == 7.0


def test_a_pause_in_which_nobody_looked_makes_no_point_but_counts() -> None:
    history = filled(60)
    assert history.add(sample(START_S + 360, 3600)) is None
    assert history.window().requests == 3600


def test_a_clock_that_was_set_back_begins_anew() -> None:
    history = filled(60)
    history.add(sample(START_S - 5000, 700))
    assert not history.points
    history.add(sample(START_S - 4999, 701))
    assert (history.window().seconds, history.window().requests) == (1.0, 1.0)
