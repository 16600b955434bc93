"""Records of the engine: response and service times by series, by second and by phase. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from choirbook_perf.histogram import LatencyHistogram, corrected, rounded_us
from choirbook_perf.recorder import Key, Progress, percentiles
from choirbook_perf.results import BySecond, Failure, Phase, Series, Tick
from choirbook_perf.targets import Operation

MEASURED = "measured"
LATE_S = 0.001
"""Delay of a request from which it counts as late, in seconds: a usual wake-up takes a tenth of it."""

_ROUNDING_S = 1e-6
"""A request that is due at the start of a phase belongs to it, whatever the sums of floats say."""
_MAX_SAMPLE = 300


class Span(NamedTuple):
    """A phase before it has happened. Times in seconds since the start of the load."""

    name: str
    kind: str
    start_s: float
    end_s: float
    rate: float | None = None


class EndedRequest(NamedTuple):
    """A request that ended, or was given up. Times of the process's clock."""

    operation: Operation
    project: str
    due_s: float
    sent_s: float
    done_s: float
    failure: str
    cache_result: str
    sample: bytes = b""


class _Cell:
    __slots__ = ("failures", "key", "response", "seconds", "service")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.response: dict[int, int] = {}
        self.service: dict[int, int] = {}
        self.seconds: dict[int, dict[int, int]] = {}
        """Response times by the second in which the request was due."""
        self.failures = 0


class _SecondCounts:
    __slots__ = ("answered", "failures", "in_flight", "latencies", "sent", "unsent", "users")

    def __init__(self) -> None:
        self.latencies: dict[int, int] = {}
        self.answered = self.failures = self.sent = self.unsent = self.users = self.in_flight = 0


class _Counted:
    __slots__ = ("failures", "latencies")

    def __init__(self) -> None:
        self.latencies: dict[int, int] = {}
        self.failures = 0


class LoadRecording:
    """Counts of one load.

    Args:
        spans: Phases, in order and without gaps.
        started_s: Start of the load, by the process's clock.
    """

    def __init__(self, spans: Sequence[Span], started_s: float) -> None:
        self.spans = list(spans)
        self.started_s = started_s
        self.unsent = 0
        """Requests of the measured phases that were due and could not be sent."""
        self.lateness: dict[int, int] = {}
        """By how many microseconds requests of the measured phases were sent late."""
        self.first_bytes: dict[int, int] = {}
        """Times from sending to the first byte of the answer, in the measured phases."""
        self._starts = [span.start_s for span in spans]
        self._is_measured = [span.kind == MEASURED for span in spans]
        self._phases = [_Counted() for _ in spans]
        self._cells: dict[tuple[int, str, str], _Cell] = {}
        self._seconds: dict[int, _SecondCounts] = {}
        self._failures: dict[tuple[str, str], int] = {}
        self._samples: dict[tuple[str, str], str] = {}
        self._kept: list[Operation] = []  # so that no other gets the id of one

    def cut(self, ended_s: float) -> None:
        """End the phases at a time of the process's clock, as the load ends early."""
        end_s = ended_s - self.started_s
        self.spans = [
            span._replace(start_s=min(span.start_s, end_s), end_s=min(span.end_s, end_s))
            for span in self.spans
        ]

    def is_measured(self, due_s: float) -> bool:
        """Return whether a request that is due at a time belongs to what is measured."""
        return self._is_measured[self._phase(due_s)]

    def send(self, due_s: float, now_s: float) -> None:
        """Count a request that is about to be sent."""
        self._second(now_s).sent += 1
        if self.is_measured(due_s):
            _count(self.lateness, rounded_us(now_s - due_s))

    def skip(self, due_s: float, now_s: float) -> None:
        """Count a request that cannot be sent."""
        self._second(now_s).unsent += 1
        self.unsent += self.is_measured(due_s)

    def see(self, users: int, in_flight: int, now_s: float) -> None:
        """Record the number of users and of requests under way."""
        second = self._second(now_s)
        second.users, second.in_flight = users, in_flight

    def end(self, request: EndedRequest) -> None:
        """Record a request, failed ones too."""
        response_us = rounded_us(request.done_s - request.due_s)
        second = self._second(request.done_s)
        _count(second.latencies, response_us)
        number = self._phase(request.due_s)
        _count(self._phases[number].latencies, response_us)
        if request.failure:
            second.failures += 1
            self._phases[number].failures += 1
        else:
            second.answered += 1
        if self._is_measured[number]:
            self._measure(request, response_us)

    def first_byte(self, due_s: float, latency_s: float) -> None:
        """Record the time from sending to the first byte of the answer."""
        if self.is_measured(due_s):
            _count(self.first_bytes, rounded_us(latency_s))

    def _measure(self, request: EndedRequest, response_us: int) -> None:
        cell = self._cell(request)
        _count(cell.response, response_us)
        at = int(request.due_s - self.started_s)
        second = cell.seconds.get(at)
        if second is None:
            second = cell.seconds[at] = {}
        _count(second, response_us)
        _count(cell.service, rounded_us(request.done_s - (request.sent_s or request.due_s)))
        if request.failure:
            cell.failures += 1
            pair = (request.operation.name, request.failure)
            self._failures[pair] = self._failures.get(pair, 0) + 1
            if request.sample and pair not in self._samples:
                self._samples[pair] = _readable(request.sample)

    def _cell(self, request: EndedRequest) -> _Cell:
        operation = request.operation
        found = self._cells.get((id(operation), request.cache_result, request.project))
        if found is None:
            self._kept.append(operation)
            key = Key(operation.resource_type, request.cache_result, request.project, operation.name)
            found = self._cells[id(operation), request.cache_result, request.project] = _Cell(key)
        return found

    def _phase(self, due_s: float) -> int:
        return max(0, bisect_right(self._starts, due_s - self.started_s + _ROUNDING_S) - 1)

    def _second(self, now_s: float) -> _SecondCounts:
        at = int(now_s - self.started_s)
        found = self._seconds.get(at)
        if found is None:
            found = self._seconds[at] = _SecondCounts()
        return found

    def progress(self, users: int, now_s: float) -> Progress:
        """Return the progress, with figures over the whole load so far."""
        latencies = LatencyHistogram(pair for phase in self._phases for pair in phase.latencies.items())
        failures = sum(phase.failures for phase in self._phases)
        return Progress(
            second=int(now_s - self.started_s),
            users=users,
            requests=len(latencies) - failures,
            failures=failures,
            **percentiles(latencies),
        )

    def responses(self) -> LatencyHistogram:
        """Return the response times of all that was measured."""
        return LatencyHistogram(pair for cell in self._cells.values() for pair in cell.response.items())

    def services(self) -> LatencyHistogram:
        """Return the service times of all that was measured."""
        return LatencyHistogram(pair for cell in self._cells.values() for pair in cell.service.items())

    def series(self, interval_us: float | None) -> list[Series]:
        """Return the series.

        Args:
            interval_us: In the closed model the usual time from one request of a user to its next.
        """
        merged: dict[Key, _Cell] = {}
        for cell in self._cells.values():
            whole = merged.setdefault(cell.key, _Cell(cell.key))
            whole.failures += cell.failures
            for mine, its in ((whole.response, cell.response), (whole.service, cell.service)):
                for value_us, count in its.items():
                    mine[value_us] = mine.get(value_us, 0) + count
        return [_series(merged[key], interval_us) for key in sorted(merged)]

    def by_second(self, interval_us: float | None) -> list[BySecond]:
        """Return the response times second by second, corrected as those of the series; see `series`."""
        kinds: dict[tuple[str, str, str], dict[int, LatencyHistogram]] = {}
        for cell in self._cells.values():
            key = cell.key
            seconds = kinds.setdefault((key.resource_type, key.cache_result, key.name), {})
            for at, counts in cell.seconds.items():
                seconds.setdefault(at, LatencyHistogram()).add(LatencyHistogram(counts.items()))
        return [
            BySecond(
                resource_type=kind[0],
                cache_result=kind[1],
                name=kind[2],
                seconds=[(at, _corrected(seconds[at].counts(), interval_us)) for at in sorted(seconds)],
            )
            for kind, seconds in sorted(kinds.items())
        ]

    def ticks(self) -> list[Tick]:
        """Return what happened in each second."""
        return [_tick(at, self._seconds[at]) for at in sorted(self._seconds)]

    def phases(self) -> list[Phase]:
        """Return what happened in each phase."""
        pairs = zip(self.spans, self._phases, strict=True)
        return [_phase(span, counted) for span, counted in pairs]

    def failures(self) -> list[Failure]:
        """Return the kinds of failures in what was measured."""
        return [
            Failure(name=name, reason=reason, count=count, sample=self._samples.get((name, reason), ""))
            for (name, reason), count in sorted(self._failures.items())
        ]


def _count(counts: dict[int, int], value_us: int) -> None:
    counts[value_us] = counts.get(value_us, 0) + 1


def _series(cell: _Cell, interval_us: float | None) -> Series:
    counts = sorted(cell.response.items())
    added = _corrected(counts, interval_us)
    return Series(
        **cell.key._asdict(),
        counts=counts,
        service_counts=sorted(cell.service.items()),
        corrected_counts=[] if added == counts else added,
        failures=cell.failures,
    )


def _corrected(counts: list[tuple[int, int]], interval_us: float | None) -> list[tuple[int, int]]:
    return corrected(counts, interval_us) if interval_us else counts


def _tick(at: int, second: _SecondCounts) -> Tick:
    return Tick(
        second=at,
        users=second.users,
        requests=second.answered,
        failures=second.failures,
        sent=second.sent,
        in_flight=second.in_flight,
        unsent=second.unsent,
        **percentiles(LatencyHistogram(second.latencies.items())),
    )


def _phase(span: Span, counted: _Counted) -> Phase:
    latencies = LatencyHistogram(counted.latencies.items())
    return Phase(
        name=span.name,
        kind=span.kind,
        start_s=round(span.start_s, 3),
        duration_s=round(span.end_s - span.start_s, 3),
        rate=span.rate,
        requests=len(latencies),
        failures=counted.failures,
        **percentiles(latencies),
    )


def _readable(sample: bytes) -> str:
    text = sample[:_MAX_SAMPLE].decode("utf-8", "replace")
    return "".join(character if character.isprintable() else " " for character in text).strip()
