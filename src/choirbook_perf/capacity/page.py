"""Page with the curve of latency over rate. Pure; it needs no script and no network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from statistics import median

from markupsafe import Markup

from choirbook_perf import figures, gate, generator_summary
from choirbook_perf.capacity.results import Capacity, Point, answer
from choirbook_perf.plots.chart import Axis, Chart, Limit, Line, draw
from choirbook_perf.plots.scales import linear, log
from choirbook_perf.report.page import framed
from choirbook_perf.report.parts import Section, figure, legend, note, section, table

_PERCENTILES: tuple[tuple[str, Callable[[Point], float | None]], ...] = (
    ("p50", lambda point: point.p50_ms),
    ("p95", lambda point: point.p95_ms),
    ("p99", lambda point: point.p99_ms),
)


def page(capacity: Capacity) -> str:
    """Build the page."""
    name = capacity.label or capacity.started
    return framed(f"Capacity: {name}", "Capacity", [name], [_capacity(capacity), _conditions(capacity)])


def _capacity(capacity: Capacity) -> Section:
    head = ("Requests/s", "Outcome", "Reason", "Requests", "Failed", "Not sent", "p50", "p95", "p99")
    rows = [
        (
            f"{point.rate:g}",
            point.outcome,
            "; ".join(point.broke),
            figures.whole(point.requests),
            figures.whole(point.failures),
            figures.whole(point.unsent),
            *(figures.milliseconds(of(point)) for _, of in _PERCENTILES),
        )
        for point in sorted(capacity.points, key=lambda each: each.rate)
    ]
    numbers = table("All measurements, latencies in milliseconds", head, rows, texts=3)
    curve = figure(
        "Latency over rate",
        "Percentiles at each rate; the median where it was measured several times. Rates at which the "
        "generator could not keep up are left out.",
        chart(capacity),
        numbers,
        legend([(name, f"time-{name}") for name, _ in _PERCENTILES]),
    )
    return section("capacity", "Capacity", note(answer(capacity)), curve)


def chart(capacity: Capacity) -> Markup:
    """Draw latency over rate."""
    valid = [point for point in capacity.points if point.outcome != "invalid"]
    curves = {name: _curve(valid, of) for name, of in _PERCENTILES}
    values = [value for curve in curves.values() for _, value in curve]
    limits = [
        Limit(row.limit, f"limit of {row.metric}: {figures.latency(row.limit)}")
        for row in capacity.slo
        if row.unit == "ms"
    ]
    y = log([*values, *(limit.y for limit in limits)], figures.latency)
    x = linear(max((point.rate for point in valid), default=1.0))
    return draw(
        Chart(
            name="latency-over-rate",
            title="Latency over rate",
            summary="p50, p95 and p99 over requests per second, on a logarithmic axis. " + answer(capacity),
            x=Axis(x, "requests per second"),
            y=Axis(y, "latency, log axis"),
            lines=[Line(name, curve, f"time-{name}") for name, curve in curves.items()],
            limits=limits,
        )
    )


def _curve(points: Sequence[Point], of: Callable[[Point], float | None]) -> list[tuple[float, float]]:
    ordered = sorted(points, key=lambda point: point.rate)
    curve = []
    for rate, group in groupby(ordered, key=lambda point: point.rate):
        values = [value for point in group if (value := of(point)) is not None]
        if values:
            curve.append((rate, median(values)))
    return curve


def _conditions(capacity: Capacity) -> Section:
    target, machine, floor = capacity.target, capacity.environment, capacity.floor
    rows = [
        ("Server", target.server),
        ("Address", target.url),
        ("Protocol", f"{target.protocol} {target.era}".strip()),
        *((f"Server: {key}", value) for key, value in sorted(target.settings.items())),
        ("Load", f"open model, {capacity.arrivals} arrivals, {capacity.duration_s:g} s at each rate"),
        (
            "SLO",
            "; ".join(f"{row.metric} {gate.limit_of(row)}" for row in capacity.slo),
        ),
        (
            "Floor of the generator",
            generator_summary.floor(floor) if floor else figures.MISSING,
        ),
        ("CPU", f"{machine.cpu}, {machine.cores} cores"),
        ("Kernel", machine.kernel),
        ("Commit", machine.commit),
        ("Machine", machine.machine),
        ("Started", capacity.started),
    ]
    return section("environment", "Environment", table("Conditions", ("", ""), rows, texts=2))
