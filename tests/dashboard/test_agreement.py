"""The dashboard and `choirbook top` say the same of a server, whatever its state."""

import pytest

from choirbook.cli.top.figures import figures
from choirbook.cli.top.scraper import Scraper
from choirbook.observe import health
from choirbook.observe.exposition import exposition, series_totals
from choirbook.observe.figures import Quantiles, Sample, between, rows, sample_of
from choirbook.observe.metrics import (
    CATALOG_SIZE,
    DASHBOARD_RESPONSES,
    DESCRIPTORS_SHORT,
    DROPPED_LINES,
    EVICTIONS,
    FAILED_SCANS,
    FAILING_EXPORTERS,
    FEED_LOSSES,
    FEED_UP,
    METRICS,
    READY,
    REDIS_UNVERIFIED,
    RESPONSES,
    RULES_UP,
    SHARED_UP,
    SPANS_DROPPED,
    STALE,
    TRACES_DROPPED,
    WATCH_WANTED,
    WATCHING,
    MetricKind,
)
from choirbook.observe.processes import worker_counts
from choirbook.observe.recorder import Recorder
from choirbook.observe.shared_metrics import SharedMetrics

WELL: dict[str, float] = {CATALOG_SIZE: 30, READY: 1, RULES_UP: 1, WATCHING: 1, WATCH_WANTED: 1}

TABLE: dict[str, tuple[dict[str, float], list[str]]] = {
    "well": ({}, []),
    "no documents": ({CATALOG_SIZE: 0}, ["empty"]),
    "not ready": ({READY: 0, CATALOG_SIZE: 0, WATCHING: 0}, ["not-ready"]),
    "broken rules": ({RULES_UP: 0}, ["rules-refused"]),
    "no watcher": ({WATCHING: 0}, ["watcher-down"]),
    "no watcher wanted": ({WATCHING: 0, WATCH_WANTED: 0}, []),
    "no redis": ({SHARED_UP: 0}, ["redis-down"]),
    "no feed": ({FEED_UP: 0}, ["feed-down"]),
    "few descriptors": ({DESCRIPTORS_SHORT: 1}, ["descriptors-short"]),
    "traces": ({FAILING_EXPORTERS: 1}, ["traces-failing"]),
    "stale reads": ({STALE: 3}, ["stale-reads"]),
    "failed scans": ({FAILED_SCANS: 1}, ["failed-scans"]),
    "dropped lines": ({DROPPED_LINES: 9}, ["dropped-lines"]),
    "dropped spans": ({SPANS_DROPPED: 9}, ["dropped-spans"]),
    "dropped traces": ({TRACES_DROPPED: 9}, ["dropped-traces"]),
    "feed losses": ({FEED_LOSSES: 1}, ["feed-losses"]),
    "unsigned items in redis": ({REDIS_UNVERIFIED: 2}, ["redis-unverified"]),
    "few evictions": ({EVICTIONS: 99}, []),
    "evictions": ({EVICTIONS: 100}, ["evictions"]),
    "server errors": ({RESPONSES: 4}, ["server-errors"]),
    "all at once": (
        {CATALOG_SIZE: 0, RULES_UP: 0, SHARED_UP: 0, RESPONSES: 4, STALE: 1},
        ["empty", "server-errors", "rules-refused", "redis-down", "stale-reads"],
    ),
}


def write(recorder: Recorder, values: dict[str, float]) -> None:
    for metric, value in values.items():
        labels = {label.name: (label.values or ("a",))[-1] for label in METRICS[metric].labels}
        if metric == RESPONSES:
            labels = {"status": "5xx"}
        if METRICS[metric].kind is MetricKind.GAUGE:
            recorder.gauge(metric, value, **labels)
        else:
            recorder.counter(metric, value, **labels)


def by_dashboard(cells: SharedMetrics, at_s: float) -> Sample:
    return sample_of(series_totals(cells) | worker_counts(cells), at_s)


def by_top(cells: SharedMetrics, at_s: float) -> Sample:
    return sample_of(Scraper("http://127.0.0.1")._totals(exposition(cells).decode()), at_s)  # noqa: SLF001


@pytest.mark.parametrize("name", TABLE)
def test_a_state_is_the_same_on_both(name: str) -> None:
    changed, ids = TABLE[name]
    cells = SharedMetrics()
    recorder = Recorder(cells.claim(), ("a",))
    write(recorder, WELL)
    begun = by_dashboard(cells, 0.0), by_top(cells, 0.0)
    write(recorder, changed)
    dashboard = health.states(begun[0].moment, by_dashboard(cells, 60.0).moment)
    top = figures(begun[1], by_top(cells, 60.0)).states
    assert top == dashboard
    assert [state.id for state in dashboard] == ids


def test_figures_are_the_same_on_both() -> None:
    cells = SharedMetrics()
    recorder = Recorder(cells.claim(), ("a", "b"))
    write(recorder, WELL)

    def count(times: int) -> None:
        recorder.reads("a", [0.0003] * 7 * times, is_hit=True)
        recorder.reads("a", [0.03, 20.0] * times, is_hit=False, is_stale=True)
        recorder.reads("b", [0.0001] * times, is_hit=True)
        recorder.responses({2: 30 * times, 5: times}, 100)
        recorder.failures("ReadTimeout", 2 * times)
        recorder.counter(DASHBOARD_RESPONSES, 5.0 * times)

    count(1)
    old = by_dashboard(cells, 0.0), by_top(cells, 0.0)
    count(3)
    new = by_dashboard(cells, 60.0), by_top(cells, 60.0)
    dashboard, top = between(old[0], new[0]), figures(old[1], new[1])
    assert (top.reads_per_s, top.hit_rate) == (dashboard.reads_per_s, dashboard.hit_rate) == (0.5, 0.8)
    assert top.requests_per_s == dashboard.requests_per_s == (93 - 10) / 60
    assert top.failed_reads_per_s == dashboard.failed / dashboard.seconds == 0.1
    assert top.reads == 40
    told = {(each.resource_type, each.cache_result): each for each in top.latencies}
    shown = {(row.type, row.result): row for row in rows(old[0], new[0])}
    assert told.keys() == shown.keys() == {("a", "hit"), ("a", "miss"), ("b", "hit")}
    for kind, row in shown.items():
        assert Quantiles(told[kind].p50_ms, told[kind].p95_ms, told[kind].p99_ms) == row.quantiles
        assert told[kind].reads_per_s == row.reads / dashboard.seconds


def test_missing_workers_show_on_both() -> None:
    cells = SharedMetrics(2)
    write(Recorder(cells.claim(), ("a",)), WELL)
    sample, snapshot = by_dashboard(cells, 0.0), by_top(cells, 0.0)
    dashboard = health.states(sample.moment, sample.moment)
    assert [state.id for state in dashboard] == ["workers-missing"]
    assert figures(snapshot, snapshot).states == dashboard


def test_the_table_has_every_state() -> None:
    told = {id_ for _, ids in TABLE.values() for id_ in ids}
    counted = {each.id for each in health.COUNTED}
    assert counted <= told
    assert told >= {state.id for state in health.NOW}
