"""One run of `choirbook perf capacity`: server, plan, measurements at several rates, result."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from statistics import fmean
from typing import NamedTuple

from choirbook_perf import engine, gate, runner
from choirbook_perf.capacity.results import Capacity, Point
from choirbook_perf.capacity.search import BROKEN, INVALID, KEPT, Knee, Search
from choirbook_perf.engine import OpenLoad
from choirbook_perf.environment import environment
from choirbook_perf.errors import Inconclusive
from choirbook_perf.recorder import percentiles
from choirbook_perf.results import Environment, Floor, RateStage, Result, Row
from choirbook_perf.scraper import scrape


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
            stages=(RateStage(options.duration_s, rate),),
            arrivals=options.arrivals,
            max_in_flight=options.max_in_flight,
            warm_up_s=options.warm_up_s,
        )
        before = scrape(server.url)
        measured, is_partial = engine.run(server.loaded, load)
        if is_partial:
            raise Inconclusive("Interrupted before the capacity was found.")
        asked = self._asked._replace(load=load)
        result = runner.result_of(asked, server.plan, machine, measured, before, scrape(server.url))
        _require_measured(rate, result)
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


def _require_measured(rate: float, result: Result) -> None:
    """Check that each required threshold has a sample: without one, no rate keeps or breaks it.

    Raises:
        Inconclusive: One has none.
    """
    absent = [row for row in result.verdict if row.outcome == "not measured" and row.is_required]
    if absent:
        told = "; ".join(f"{row.metric} ({row.reason})" for row in absent)
        raise Inconclusive(
            f"There is no capacity to find: at {rate:g} requests/s nothing was measured for {told}. "
            "Pass an SLO file without these thresholds, or measure for longer."
        )


def is_broken(row: Row) -> bool:
    """Return whether a measurement breaks a threshold: by its figure, as repeats stand for the interval."""
    return row.measured is not None and not gate.meets_limit(row)


def _told(row: Row) -> str:
    measured = "not measured" if row.measured is None else f"{row.measured:.4g}"
    return f"{row.metric} {measured} {row.unit}"
