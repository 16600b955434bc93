from __future__ import annotations

from typing import NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.recorder import Key, Recorder

START_S = 1000.5
keys = st.builds(
    Key, st.sampled_from(["sdlc", "pattern"]), st.sampled_from(["hit", "miss"]), st.just("p"), st.just("n")
)


class Event(NamedTuple):
    """One answer that a worker got."""

    worker: int
    key: Key
    latency_s: float
    after_s: float
    is_good: bool


events = st.lists(
    st.builds(Event, st.integers(0, 2), keys, st.floats(1e-6, 10), st.floats(0, 5), st.booleans())
)


def _record(recorder: Recorder, event: Event) -> None:
    if event.is_good:
        recorder.record(event.key, event.latency_s, START_S + event.after_s)
    else:
        recorder.fail(event.key, "refused", event.latency_s, START_S + event.after_s)


@given(events)
def test_what_workers_hand_on_adds_up_to_what_one_process_would_count(
    seen: list[Event],
) -> None:
    alone, master = Recorder(), Recorder()
    workers = [Recorder() for _ in range(3)]
    for count, event in enumerate(seen):
        _record(alone, event)
        _record(workers[event.worker], event)
        if count % 5 == 0:
            # Locust sends reports as msgpack.
            master.merge(msgspec.msgpack.decode(msgspec.msgpack.encode(workers[event.worker].take())))
    for worker in workers:
        master.merge(worker.take())
    assert master.measured(START_S, START_S + 6) == alone.measured(START_S, START_S + 6)
    assert master.progress(START_S, START_S + 6, 3) == alone.progress(START_S, START_S + 6, 3)


def test_what_was_taken_is_not_handed_on_twice() -> None:
    recorder = Recorder()
    recorder.record(Key("sdlc", "hit", "p", "n"), 0.001, START_S)
    recorder.is_saturated = True
    assert recorder.take()["series"]
    taken = recorder.take()
    assert not taken["series"]
    assert not taken["is_saturated"]


def test_a_failed_request_is_part_of_the_percentiles() -> None:
    recorder = Recorder()
    recorder.fail(Key("sdlc", "unknown", "p", "n"), "status 500", 0.25, START_S)
    measured = recorder.measured(START_S, START_S + 1)
    assert (measured.series[0].failures, measured.series[0].counts) == (1, [(250_000, 1)])
    assert (measured.failures[0].reason, measured.failures[0].count) == ("status 500", 1)
    assert measured.timeline[0].requests == 0
    assert (measured.timeline[0].failures, measured.timeline[0].p50_ms) == (1, 250.0)


@given(events)
def test_the_seconds_of_each_kind_add_up_to_its_series(seen: list[Event]) -> None:
    recorder = Recorder()
    for event in seen:
        _record(recorder, event)
    measured = recorder.measured(START_S, START_S + 6)
    for kind in measured.by_second:
        latencies = LatencyHistogram(pair for _, counts in kind.seconds for pair in counts)
        (series,) = [
            one
            for one in measured.series
            if (one.resource_type, one.cache_result) == (kind.resource_type, kind.cache_result)
        ]
        assert latencies.counts() == series.counts
    assert len(measured.by_second) == len(measured.series)
