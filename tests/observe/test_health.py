import pytest

from choirbook.observe.health import HealthSample, HealthState, Severity, states
from choirbook.observe.metrics import (
    CATALOG_SIZE,
    DESCRIPTORS_SHORT,
    DROPPED_LINES,
    EVICTIONS,
    FAILED_SCANS,
    FAILING_EXPORTERS,
    FEED_LOSSES,
    FEED_UP,
    READY,
    RESPONSES,
    RULES_UP,
    SHARED_UP,
    SPANS_DROPPED,
    STALE,
    TRACES_DROPPED,
    WANTED_WORKERS,
    WATCH_WANTED,
    WATCHING,
    WORKERS,
)

WELL = {
    CATALOG_SIZE: 30.0,
    READY: 1.0,
    RULES_UP: 1.0,
    WATCHING: 1.0,
    WATCH_WANTED: 1.0,
    SHARED_UP: 1.0,
    FEED_UP: 1.0,
    RESPONSES: 100.0,
    WORKERS: 2.0,
    WANTED_WORKERS: 2.0,
}


def found(*, errors: float = 0.0, **changed: float) -> list[HealthState]:
    return states(HealthSample(WELL, 0.0), HealthSample(WELL | changed, errors))


def test_a_server_that_is_well_has_nothing_to_say() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("metric", "value", "id_"),
    [
        (CATALOG_SIZE, 0, "empty"),
        (READY, 0, "not-ready"),
        (RULES_UP, 0, "rules-refused"),
        (WORKERS, 1, "workers-missing"),
        (WATCHING, 0, "watcher-down"),
        (SHARED_UP, 0, "redis-down"),
        (DESCRIPTORS_SHORT, 1, "descriptors-short"),
        (FEED_UP, 0, "feed-down"),
        (STALE, 3, "stale-reads"),
        (FAILED_SCANS, 1, "failed-scans"),
        (DROPPED_LINES, 1234, "dropped-lines"),
        (FAILING_EXPORTERS, 1, "traces-failing"),
        (SPANS_DROPPED, 4, "dropped-spans"),
        (TRACES_DROPPED, 1, "dropped-traces"),
        (FEED_LOSSES, 1, "feed-losses"),
        (EVICTIONS, 500, "evictions"),
    ],
)
def test_each_state_says_what_it_means_and_what_to_do(metric: str, value: float, id_: str) -> None:
    (state,) = found(**{metric: value})
    assert state.id == id_
    assert min(len(state.title), len(state.meaning), len(state.remedy)) > 10


def test_a_few_evictions_are_not_told_of() -> None:
    assert found(**{EVICTIONS: 99}) == []
    assert [state.id for state in found(**{EVICTIONS: 100})] == ["evictions"]


def test_a_server_that_is_not_ready_says_so_and_not_that_it_is_empty() -> None:
    told = found(**{READY: 0.0, CATALOG_SIZE: 0.0, WATCHING: 0.0})
    assert [state.id for state in told] == ["not-ready"]


def test_a_watcher_that_nobody_asked_for_is_not_missed() -> None:
    assert found(**{WATCHING: 0.0, WATCH_WANTED: 0.0}) == []


def test_metrics_that_a_server_does_not_have_are_not_missed() -> None:
    assert states(HealthSample({}, 0.0), HealthSample({}, 0.0)) == []


def test_what_clients_notice_comes_first() -> None:
    told = found(errors=1.0, **{SHARED_UP: 0.0, DROPPED_LINES: 2.0, RESPONSES: 200.0})
    assert [state.id for state in told] == ["server-errors", "redis-down", "dropped-lines"]
    assert [state.level for state in told] == [Severity.BAD, Severity.WARNING, Severity.WARNING]
    assert told[0].title == "1 response with a server error"
    assert "1 %" in told[0].meaning
    assert told[2].title == "2 log lines dropped"


def test_what_happened_before_the_time_looked_at_is_not_told() -> None:
    before = WELL | {DROPPED_LINES: 5.0}
    assert states(HealthSample(before, 3.0), HealthSample(before, 3.0)) == []


def test_a_counter_that_went_back_counts_from_nothing() -> None:
    told = states(
        HealthSample(WELL | {DROPPED_LINES: 5.0}, 0.0), HealthSample(WELL | {DROPPED_LINES: 2.0}, 0.0)
    )
    assert [state.title for state in told] == ["2 log lines dropped"]
