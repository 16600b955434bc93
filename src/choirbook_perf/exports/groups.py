"""The kinds of requests that exports show. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.results import Result

PERCENTS = (50.0, 90.0, 95.0, 99.0, 99.9)
_LABELS = ("cache_result", "resource_type", "name", "project")


class Group(NamedTuple):
    """Requests with one value of one label, or all of them."""

    label: str
    """Field of a series, or `all`."""
    value: str
    latencies: LatencyHistogram
    """Response times of all requests, failed ones too."""
    failures: int

    def percentiles_ms(self) -> list[float]:
        """Return the latencies of `PERCENTS`."""
        return [self.latencies.percentile_ms(percent) for percent in PERCENTS]


def groups(result: Result) -> Iterator[Group]:
    """Yield all requests, then those of each value of each label; none without requests."""
    if result.attempts():
        yield Group("all", "", result.histogram(), result.failed())
    for label in _LABELS:
        for value in sorted({getattr(series, label) for series in result.series}):
            latencies = result.histogram(**{label: value})
            if len(latencies):
                failures = sum(one.failures for one in result.series if getattr(one, label) == value)
                yield Group(label, value, latencies, failures)
