"""Counts of a load generator: latencies by series and by second, failures by reason. Pure.

Workers pass on their counts since the last time (`take`), and the master adds them to its own (`merge`).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypedDict

import msgspec

from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.results import BySecond, Failure, Generator, Phase, Series, Tick

SATURATED = "The load generator was short of CPU. Use --processes, fewer users, or another machine."


class Key(NamedTuple):
    """Identity of a series."""

    resource_type: str
    cache_result: str
    project: str
    name: str


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a load generator passes to the runner."""

    started_s: float
    """Start, in seconds since the epoch."""
    duration_s: float
    """Length of what is in the series."""
    generator: Generator
    series: list[Series]
    timeline: list[Tick]
    failures: list[Failure]
    phases: list[Phase] = []
    by_second: list[BySecond] = []
    first_byte_counts: list[tuple[int, int]] = []
    """Times from sending a request to the first byte of its answer."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Progress of a run: one line per second on the generator's stdout."""

    second: int
    users: int
    requests: int
    failures: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


Kind = tuple[str, str, str]
"""Resource type, cache result and name."""


class _Second:
    def __init__(self) -> None:
        self.users = 0
        self.answered = 0
        self.failures = 0
        self.kinds: dict[Kind, LatencyHistogram] = {}

    def kind(self, key: Kind) -> LatencyHistogram:
        found = self.kinds.get(key)
        if found is None:
            found = self.kinds[key] = LatencyHistogram()
        return found

    def latencies(self) -> LatencyHistogram:
        merged = LatencyHistogram()
        for each in self.kinds.values():
            merged.add(each)
        return merged


class Recorder:
    """Counts of one process, or of all."""

    def __init__(self) -> None:
        self._series: dict[Key, LatencyHistogram] = {}
        self._failed: dict[Key, int] = {}
        self._reasons: dict[tuple[str, str], int] = {}
        self._seconds: dict[int, _Second] = {}
        self._all = LatencyHistogram()
        self.is_saturated = False

    def record(self, key: Key, latency_s: float, at_s: float) -> None:
        """Record a successful answer; `at_s` is its time, since the epoch."""
        self._record(key, latency_s, at_s)
        self._second(int(at_s)).answered += 1

    def fail(self, key: Key, reason: str, latency_s: float, at_s: float) -> None:
        """Record a failed request, with the time that it took to fail."""
        self._record(key, latency_s, at_s)
        self._failed[key] = self._failed.get(key, 0) + 1
        self._reasons[key.name, reason] = self._reasons.get((key.name, reason), 0) + 1
        self._second(int(at_s)).failures += 1

    def _record(self, key: Key, latency_s: float, at_s: float) -> None:
        self._histogram(key).record(latency_s)
        self._second(int(at_s)).kind((key.resource_type, key.cache_result, key.name)).record(latency_s)
        self._all.record(latency_s)

    def see_users(self, users: int, at_s: float) -> None:
        """Record the number of users."""
        self._second(int(at_s)).users = users

    def take(self) -> dict[str, Any]:
        """Return all counts as plain lists, and reset them."""
        taken = {
            "series": [[*key, histogram.counts()] for key, histogram in self._series.items()],
            "failed": [[*key, count] for key, count in self._failed.items()],
            "reasons": [[*pair, count] for pair, count in self._reasons.items()],
            "seconds": [
                [
                    at,
                    each.answered,
                    each.failures,
                    [[*kind, one.counts()] for kind, one in each.kinds.items()],
                ]
                for at, each in self._seconds.items()
            ],
            "is_saturated": self.is_saturated,
        }
        self.__init__()  # type: ignore[misc]
        return taken

    def merge(self, taken: dict[str, Any]) -> None:
        """Add the counts taken from another process."""
        for *labels, counts in taken["series"]:
            histogram = LatencyHistogram(_pairs(counts))
            self._histogram(Key(*labels)).add(histogram)
            self._all.add(histogram)
        for *labels, count in taken["failed"]:
            self._failed[Key(*labels)] = self._failed.get(Key(*labels), 0) + count
        for name, reason, count in taken["reasons"]:
            self._reasons[name, reason] = self._reasons.get((name, reason), 0) + count
        for at, answered, failures, kinds in taken["seconds"]:
            self._second(at).answered += answered
            self._second(at).failures += failures
            for *kind, counts in kinds:
                self._second(at).kind((kind[0], kind[1], kind[2])).add(LatencyHistogram(_pairs(counts)))
        self.is_saturated |= taken["is_saturated"]

    def progress(self, started_s: float, now_s: float, users: int) -> Progress:
        """Return the progress, with figures over the whole run so far."""
        return Progress(
            second=int(now_s - started_s),
            users=users,
            requests=len(self._all) - sum(self._failed.values()),
            failures=sum(self._failed.values()),
            **percentiles(self._all),
        )

    def measured(self, started_s: float, ended_s: float) -> Measured:
        """Return everything, ready for a file."""
        keys = sorted(self._series)
        return Measured(
            started_s=started_s,
            duration_s=round(ended_s - started_s, 3),
            generator=Generator(
                is_valid=not self.is_saturated, reasons=[SATURATED] if self.is_saturated else []
            ),
            series=[self._one_series(key) for key in keys],
            timeline=[self._tick(at, int(started_s)) for at in sorted(self._seconds) if at >= int(started_s)],
            failures=[
                Failure(name=name, reason=reason, count=count)
                for (name, reason), count in sorted(self._reasons.items())
            ],
            by_second=self._by_second(int(started_s)),
        )

    def _by_second(self, started: int) -> list[BySecond]:
        found: dict[Kind, list[tuple[int, list[tuple[int, int]]]]] = {}
        for at in sorted(self._seconds):
            for kind, latencies in self._seconds[at].kinds.items():
                if at >= started:
                    found.setdefault(kind, []).append((at - started, latencies.counts()))
        return [
            BySecond(resource_type=kind[0], cache_result=kind[1], name=kind[2], seconds=found[kind])
            for kind in sorted(found)
        ]

    def _one_series(self, key: Key) -> Series:
        return Series(**key._asdict(), counts=self._series[key].counts(), failures=self._failed.get(key, 0))

    def _tick(self, at: int, started: int) -> Tick:
        each = self._seconds[at]
        return Tick(
            second=at - started,
            users=each.users,
            requests=each.answered,
            failures=each.failures,
            **percentiles(each.latencies()),
        )

    def _histogram(self, key: Key) -> LatencyHistogram:
        found = self._series.get(key)
        if found is None:
            found = self._series[key] = LatencyHistogram()
        return found

    def _second(self, at: int) -> _Second:
        found = self._seconds.get(at)
        if found is None:
            found = self._seconds[at] = _Second()
        return found


def _pairs(counts: list[list[int]]) -> list[tuple[int, int]]:
    return [(value_us, count) for value_us, count in counts]


class Percentiles(TypedDict):
    """Fields of several structs."""

    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


def percentiles(latencies: LatencyHistogram) -> Percentiles:
    """Return p50, p95 and p99 as fields of a struct, None without latencies."""
    found = (latencies.percentile_ms(percent) for percent in (50, 95, 99))
    p50_ms, p95_ms, p99_ms = (None if math.isnan(figure) else figure for figure in found)
    return Percentiles(p50_ms=p50_ms, p95_ms=p95_ms, p99_ms=p99_ms)
