"""One run of `choirbook perf capacity`: server, plan, measurements at several rates, result."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from statistics import fmean
from typing import NamedTuple

from choirbook_perf import engine, runner
from choirbook_perf.capacity.results import Capacity, Point
from choirbook_perf.capacity.search import BROKEN, INVALID, KEPT, Knee, Search
from choirbook_perf.engine import OpenLoad
from choirbook_perf.environment import environment
from choirbook_perf.errors import Inconclusive
from choirbook_perf.recorder import percentiles
from choirbook_perf.results import Environment, Floor, Result, Row, Stage

_AT_LEAST = {"requests_per_s"}


class CapacityOptions(NamedTuple):
    """Options of a search."""

    arrivals: str
    duration_s: float
    warm_up_s: float
    start: float
    highest: float
    precision: float
    repeats: int
    max_in_flight: int


class CapacityRun:
    """A search for the capacity of a server.

    Args:
        asked: Server, scenario and thresholds; its load is not used.
        options: Options of the search.
        tell: Called with a line about each measurement.
    """

    def __init__(self, asked: runner.Run, options: CapacityOptions, tell: Callable[[str], None]) -> None:
        self._asked = asked
        self._options = options
        self._tell = tell
        self._points: list[Point] = []
        self._rows: list[Row] = []
        self._floor: Floor | None = None

    def run(self) -> Capacity:
        """Search, and return the result.

        Raises:
            PerfError: The server cannot be measured, or the search was interrupted.
        """
        options, started = self._options, datetime.now(UTC)
        with runner.prepared(self._asked) as server:
            machine = environment()
            search = Search(
                lambda rate: self._measure(server, machine, rate),
                start=options.start,
                highest=options.highest,
                precision=options.precision,
                repeats=options.repeats,
            )
            knee = search.run()
        return self._result(server, machine, started, knee)

    def _measure(self, server: runner.Prepared, machine: Environment, rate: float) -> str:
        options = self._options
        load = OpenLoad(
            stages=(Stage(options.duration_s, rate),),
            arrivals=options.arrivals,
            max_in_flight=options.max_in_flight,
            warm_up_s=options.warm_up_s,
        )
        measured, is_partial = engine.run(server.loaded, load)
        if is_partial:
            raise Inconclusive("Interrupted before the capacity was found.")
        result = runner.result_of(self._asked._replace(load=load), server.plan, machine, measured)
        point = point_of(rate, result)
        self._points.append(point)
        self._rows, self._floor = result.verdict, result.generator.floor
        self._tell(f"{rate:g}/s: {point.outcome}{': ' if point.broke else ''}{'; '.join(point.broke)}")
        return point.outcome

    def _result(
        self, server: runner.Prepared, machine: Environment, started: datetime, knee: Knee
    ) -> Capacity:
        return Capacity(
            started=started.isoformat(timespec="seconds"),
            label=self._asked.label,
            target=runner.target_of(self._asked, server.plan),
            environment=machine,
            slo=self._rows,
            arrivals=self._options.arrivals,
            duration_s=self._options.duration_s,
            points=self._points,
            floor=self._floor,
            rate=knee.rate,
            low=knee.low,
            high=knee.high,
            reason=knee.reason,
        )


def point_of(rate: float, result: Result) -> Point:
    """Return what a measurement says of the SLO at a rate."""
    generator, latencies = result.generator, result.histogram()
    broken = [_told(row) for row in result.verdict if is_broken(row)]
    if generator.unsent:
        broken.append(f"{generator.unsent} requests could not be sent")
    outcome = BROKEN if broken else KEPT
    if not generator.is_valid:
        outcome, broken = INVALID, generator.reasons
    return Point(
        rate=rate,
        outcome=outcome,
        broke=broken,
        requests=result.attempts(),
        failures=result.failed(),
        unsent=generator.unsent,
        generator_cpu=round(fmean(row.cpu for row in generator.health), 3) if generator.health else 0.0,
        **percentiles(latencies),
    )


def is_broken(row: Row) -> bool:
    """Return whether a measurement breaks a threshold: by its figure, as repeats stand for the interval."""
    if row.measured is None:
        return row.is_required if hasattr(row, "is_required") else row.outcome != "pass"
    if row.metric in _AT_LEAST:
        return row.measured < row.limit
    return row.measured > row.limit


def _told(row: Row) -> str:
    measured = "not measured" if row.measured is None else f"{row.measured:.4g}"
    return f"{row.metric} {measured} {row.unit}"
