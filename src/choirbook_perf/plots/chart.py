"""Line charts as SVG that stretches while its text and strokes keep their size. Pure.

An SVG with a `viewBox` shrinks its text along with its lines, which makes it unreadable on a phone. Here the
outer element has no `viewBox`: axis text is at percentages of its width, and in CSS padding around the plot
area. Only the curves are in an inner, stretched `viewBox`, with strokes that do not scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from choirbook_perf.plots.scales import Scale
from choirbook_perf.templating import call

RESOLUTION = 1000
"""Size of the plot area along either axis, in units."""

PLOTS = "plots.html"
"""The template of all plots."""

Point = tuple[float, float | None]


@dataclass(frozen=True, slots=True)
class Axis:
    """Axis: a scale with its label and unit."""

    scale: Scale
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """One series."""

    label: str
    points: Sequence[Point]
    """Points in the units of the axes; None for y leaves a gap."""
    style: str
    """CSS class that sets the colour and dash."""
    is_stepped: bool = False
    """Whether y is constant from one x to the next, as in a histogram."""
    is_filled: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """Horizontal line that values should stay below."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of lines over two axes."""

    name: str
    """Name, unique on the page."""
    title: str
    summary: str
    """Description for people who cannot see it."""
    x: Axis
    y: Axis
    lines: Sequence[Line]
    limits: Sequence[Limit] = ()


def draw(chart: Chart) -> Markup:
    """Draw a chart; the page's style sheet says how it looks."""
    points = sum(len(line.points) for line in chart.lines)
    y_ticks = [(percent_of(1 - tick.position), tick.label) for tick in chart.y.scale.ticks()]
    limits = [
        (percent_of(1 - position), limit.label)
        for limit in chart.limits
        if 0 < (position := chart.y.scale.position(limit.y)) < 1
    ]
    lines = [(line, *_paths(line, chart)) for line in chart.lines]
    return call(PLOTS, "chart", chart, points, x_ticks(chart.x), y_ticks, limits, lines, RESOLUTION)


def percent_of(position: float) -> str:
    """Format a position as an SVG length."""
    return f"{position * 100:.2f}%"


def x_ticks(axis: Axis) -> list[tuple[str, str]]:
    """Return (place, label) of the marks of a horizontal axis."""
    return [(percent_of(tick.position), tick.label) for tick in axis.scale.ticks()]


def _paths(line: Line, chart: Chart) -> tuple[list[str], str]:
    """Return the areas below a line, where it is filled, and its outline."""
    runs = _runs(line, chart)
    paths = [_path(run, is_stepped=line.is_stepped) for run in runs]
    closed = [f"{path}V{RESOLUTION}H{run[0][0]}Z" for path, run in zip(paths, runs, strict=True)]
    return closed if line.is_filled else [], "".join(paths)


def _runs(line: Line, chart: Chart) -> list[list[tuple[str, str]]]:
    """Return the line's points as coordinates, in runs without gaps."""
    runs: list[list[tuple[str, str]]] = [[]]
    for x, y in line.points:
        if y is None:
            runs.append([])
        else:
            left = chart.x.scale.position(x) * RESOLUTION
            top = (1 - chart.y.scale.position(y)) * RESOLUTION
            runs[-1].append((f"{left:.5g}", f"{top:.5g}"))
    return [run for run in runs if run]


def _path(run: Sequence[tuple[str, str]], *, is_stepped: bool) -> str:
    (left, top), *rest = run
    if not rest:
        # A single second between gaps: a stroke of zero length appears as a dot, as caps are round.
        return f"M{left} {top}h0"
    if is_stepped:
        return f"M{left} {top}" + "".join(f"H{x}V{y}" for x, y in rest)
    return f"M{left} {top}L" + " ".join(f"{x} {y}" for x, y in rest)
