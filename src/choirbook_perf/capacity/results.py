"""Result of `choirbook perf capacity`, and its table in a terminal."""

from __future__ import annotations

import msgspec
from rich.console import Console
from rich.table import Table

from choirbook_perf.results import Environment, Floor, Row, Target

FORMAT = 1


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement at one rate."""

    rate: float
    """Requests per second that were asked for."""
    outcome: str
    """`kept`, `broken`, or `invalid` if the generator could not keep up."""
    broke: list[str]
    """Rows of the SLO that were broken, or why the generator is invalid."""
    requests: int
    failures: int
    unsent: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    generator_cpu: float
    """Share of a core that the generator used."""


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `choirbook perf capacity`."""

    format: int = FORMAT
    kind: str = "capacity"
    started: str
    label: str = ""
    target: Target
    environment: Environment
    slo: list[Row]
    """Rows of the last measurement, for their limits."""
    arrivals: str
    duration_s: float
    """Length of each measurement."""
    points: list[Point]
    """In the order of the search."""
    floor: Floor | None
    rate: float | None
    """The knee: requests per second up to which the SLO is kept; None if there is no answer."""
    low: float | None
    """Highest rate that kept it every time."""
    high: float | None
    """Lowest rate that broke it every time."""
    reason: str = ""
    """Why there is no answer."""


def show(capacity: Capacity) -> None:
    """Print the measurements and the knee on stdout."""
    console = Console(highlight=False)
    table = Table("rate", "requests", "failed", "p50 ms", "p95 ms", "p99 ms", "SLO", box=None)
    for point in sorted(capacity.points, key=lambda each: each.rate):
        percentiles = (point.p50_ms, point.p95_ms, point.p99_ms)
        told = f"{point.outcome}: {'; '.join(point.broke)}" if point.broke else point.outcome
        cells = ["-" if value is None else f"{value:.4g}" for value in percentiles]
        table.add_row(f"{point.rate:g}", str(point.requests), str(point.failures), *cells, told)
    console.print(table)
    console.print(answer(capacity), markup=False, soft_wrap=True)


def answer(capacity: Capacity) -> str:
    """Describe what was found in a sentence or two."""
    if capacity.rate is None:
        return capacity.reason
    return (
        f"The SLO is kept up to {capacity.rate:g} requests per second: always at {capacity.low:g}, never at "
        f"{capacity.high:g}."
    )
