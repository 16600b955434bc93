import pytest

from carrel.dashboard.figures import Sample
from carrel.dashboard.states import Level, State, Surroundings, states
from carrel.observe.metrics import (
    CATALOG_SIZE,
    DESCRIPTORS_SHORT,
    DROPPED_LINES,
    EVICTIONS,
    FAILED_SURVEYS,
    FAILING_EXPORTERS,
    FEED_LOSSES,
    FEED_UP,
    RESPONSES,
    SHARED_UP,
    SPANS_DROPPED,
    STALE,
    TRACES_DROPPED,
    WATCHING,
)

WELL = {CATALOG_SIZE: 30.0, WATCHING: 1.0, SHARED_UP: 1.0, FEED_UP: 1.0, RESPONSES: 100.0}
USUAL = Surroundings(is_ready=True, watch=True, rescan_s=3.0)


def found(surroundings: Surroundings = USUAL) -> list[State]:
    return states(Sample(0, {}, WELL, 0.0), Sample(60, {}, WELL, 0.0), surroundings)


def with_metric(metric: str, value: float) -> list[State]:
    return states(Sample(0, {}, WELL, 0.0), Sample(60, {}, WELL | {metric: value}, 0.0), USUAL)


def test_a_server_that_is_well_has_nothing_to_say() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("metric", "value", "id_"),
    [
        (CATALOG_SIZE, 0, "empty"),
        (WATCHING, 0, "watcher-down"),
        (SHARED_UP, 0, "redis-down"),
        (DESCRIPTORS_SHORT, 1, "descriptors-short"),
        (FEED_UP, 0, "feed-down"),
        (STALE, 3, "stale-reads"),
        (FAILED_SURVEYS, 1, "failed-surveys"),
        (DROPPED_LINES, 1234, "dropped-lines"),
        (FAILING_EXPORTERS, 1, "traces-failing"),
        (SPANS_DROPPED, 4, "dropped-spans"),
        (TRACES_DROPPED, 1, "dropped-traces"),
        (FEED_LOSSES, 1, "feed-losses"),
        (EVICTIONS, 500, "evictions"),
    ],
)
def test_each_state_says_what_it_means_and_what_to_do(metric: str, value: float, id_: str) -> None:
    (state,) = with_metric(metric, value)
    assert state.id == id_
    assert min(len(state.title), len(state.meaning), len(state.remedy)) > 10


def test_a_few_evictions_are_not_told_of() -> None:
    assert with_metric(EVICTIONS, 99) == []
    assert [state.id for state in with_metric(EVICTIONS, 100)] == ["evictions"]


def test_a_server_that_is_not_ready_says_so_and_not_that_it_is_empty() -> None:
    surroundings = Surroundings(is_ready=False, watch=True, rescan_s=3.0)
    assert [state.id for state in found(surroundings)] == ["not-ready"]


def test_a_watcher_that_nobody_asked_for_is_not_missed() -> None:
    surroundings = Surroundings(is_ready=True, watch=False, rescan_s=3.0)
    new = Sample(60, {}, WELL | {WATCHING: 0.0}, 0.0)
    assert states(Sample(0, {}, WELL, 0.0), new, surroundings) == []


def test_a_server_without_redis_does_not_miss_it() -> None:
    alone = {name: value for name, value in WELL.items() if name not in {SHARED_UP, FEED_UP}}
    assert states(Sample(0, {}, alone, 0.0), Sample(60, {}, alone, 0.0), USUAL) == []


def test_what_clients_notice_comes_first() -> None:
    new = Sample(60, {}, WELL | {SHARED_UP: 0.0, DROPPED_LINES: 2.0, RESPONSES: 200.0}, 1.0)
    told = states(Sample(0, {}, WELL, 0.0), new, USUAL)
    assert [state.id for state in told] == ["server-errors", "redis-down", "dropped-lines"]
    assert [state.level for state in told] == [Level.BAD, Level.WARNING, Level.WARNING]
    assert told[0].title == "1 response with a server error"
    assert "1 %" in told[0].meaning
    assert told[2].title == "2 log lines dropped"


def test_what_happened_before_the_time_looked_at_is_not_told() -> None:
    before = WELL | {DROPPED_LINES: 5.0}
    assert states(Sample(0, {}, before, 0.0), Sample(60, {}, before, 0.0), USUAL) == []
