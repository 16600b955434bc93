"""Results that were never measured, for what judges results."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.results import BySecond, Environment, Result, Row, Series, Target, Tick


def series_of(latencies_ms: Sequence[float], cache_result: str = "hit", failures: int = 0) -> Series:
    """Make a series of latencies, and of failed requests that took as long as the last of them."""
    histogram = LatencyHistogram()
    for latency_ms in [*latencies_ms, *[latencies_ms[-1] if latencies_ms else 1.0] * failures]:
        histogram.record(latency_ms / 1000)
    return Series(
        resource_type="sdlc",
        cache_result=cache_result,
        project="atlas",
        name="sdlc/core",
        counts=histogram.counts(),
        failures=failures,
    )


def sample_result(latencies_ms: Sequence[float], failures: int = 0, per_second: int = 40) -> Result:
    """Make a result of latencies, so many a second."""
    seconds = range(max(10, len(latencies_ms) // per_second))
    return Result(
        started="2026-11-23T08:00:00+00:00",
        duration_s=float(len(seconds)),
        scenario={"name": "mission", "users": 10, "think_time_s": [0.1, 0.5]},
        target=Target(
            url="http://127.0.0.1", protocol="http", era="", server="", started_here=True, settings={}
        ),
        environment=Environment(
            machine="this",
            cpu="a CPU",
            cores=2,
            memory_bytes=1,
            kernel="6",
            python="3.11",
            versions={},
            commit="",
            load_average=0.0,
        ),
        series=[series_of(latencies_ms, failures=failures)],
        timeline=[
            Tick(
                second=second,
                users=10,
                requests=per_second + second % 3,
                failures=0,
                p50_ms=1.0,
                p95_ms=1.0,
                p99_ms=1.0,
            )
            for second in seconds
        ],
        failures=[],
        server_before={},
        server_after={},
        verdict=[],
    )


def result_of(*series: Series, **changed: object) -> Result:
    """Make a result of ten seconds with these series, from a server that is no Choirbook."""
    made = sample_result([1.0])
    target = msgspec.structs.replace(made.target, started_here=False)
    made = msgspec.structs.replace(made, series=list(series), target=target, duration_s=10.0)
    return msgspec.structs.replace(made, **changed)


def seconds_of(seconds: Sequence[Sequence[float]], cache_result: str = "hit") -> BySecond:
    """Make the latencies in milliseconds of each second."""
    return BySecond(
        resource_type="sdlc",
        cache_result=cache_result,
        name="sdlc/core",
        seconds=[(second, series_of(found).counts) for second, found in enumerate(seconds)],
    )


def row_of(outcome: str, measured: float | None = 1.0, **changed: object) -> Row:
    """Make a row of a verdict."""
    row = Row(
        metric="p95", operator="<", limit=10, measured=measured, unit="ms", requests=400, outcome=outcome
    )
    return msgspec.structs.replace(row, **changed)
