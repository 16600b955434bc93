"""Response times that the engine records second by second, for intervals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf.engine.recording import MEASURED, EndedRequest, LoadRecording, Span
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.targets import Operation
from choirbook_perf.targets import Request as Sent

OPERATIONS = [
    Operation(name=name, resource_type="sdlc", kind="http", address=name, request=Sent("GET", name, {}))
    for name in ("one", "two")
]
Ended = tuple[Operation, str, str, float, float, str]
ended = st.tuples(
    st.sampled_from(OPERATIONS),
    st.sampled_from(["hit", "miss"]),
    st.sampled_from(["p", "q"]),
    st.floats(0, 9.99),
    st.floats(0.0001, 3),
    st.sampled_from(["", "status 500"]),
)


@pytest.mark.parametrize("interval_us", [None, 100_000.0])
@given(requests=st.lists(ended, max_size=60))
def test_the_seconds_of_each_kind_add_up_to_what_is_judged(
    requests: list[Ended], interval_us: float | None
) -> None:
    recording = LoadRecording(
        [Span("warm-up", "warm-up", 0, 2), Span("all", MEASURED, 2, 10)], started_s=100.0
    )
    for operation, cache_result, project, after_s, latency_s, failure in requests:
        due_s = 100.0 + after_s
        recording.end(
            EndedRequest(operation, project, due_s, due_s, due_s + latency_s, failure, cache_result)
        )
    series = recording.series(interval_us)
    kinds = recording.by_second(interval_us)
    assert {(one.name, one.cache_result) for one in kinds} == {(one.name, one.cache_result) for one in series}
    for kind in kinds:
        found = LatencyHistogram(pair for _, counts in kind.seconds for pair in counts)
        judged = LatencyHistogram(
            pair
            for one in series
            if (one.name, one.cache_result) == (kind.name, kind.cache_result)
            for pair in one.judged_counts
        )
        assert found.counts() == judged.counts()
        assert all(2 <= second < 10 for second, _ in kind.seconds)
