"""Line charts as SVG that stretches while its text and strokes keep their size. Pure.

An SVG with a `viewBox` shrinks its text along with its lines, which makes it unreadable on a phone. Here the
outer element has no `viewBox`: axis text is at percentages of its width, and in CSS padding around the plot
area. Only the curves are in an inner, stretched `viewBox`, with strokes that do not scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from choirbook_perf.markup import Markup, join, tag
from choirbook_perf.plots.scales import Scale

RESOLUTION = 1000
"""Size of the plot area along either axis, in units."""

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
    """Draw a chart; the page's style sheet must include `STYLE`."""
    return tag(
        "svg",
        tag("title", chart.title, id=f"{chart.name}-title"),
        tag("desc", chart.summary, id=f"{chart.name}-summary"),
        _grid(chart),
        *(_limit(limit, chart) for limit in chart.limits),
        tag(
            "svg",
            *(_line(line, chart) for line in chart.lines),
            class_="area",
            viewBox=f"0 0 {RESOLUTION} {RESOLUTION}",
            preserveAspectRatio="none",
            width="100%",
            height="100%",
        ),
        class_="plot",
        role="img",
        aria_labelledby=f"{chart.name}-title {chart.name}-summary",
        data_plot=chart.name,
        data_points=sum(len(line.points) for line in chart.lines),
    )


def percent_of(position: float) -> str:
    """Format a position as an SVG length."""
    return f"{position * 100:.2f}%"


def x_axis(axis: Axis) -> Markup:
    """Draw the axis below the plot area, with grid lines across it."""
    parts = []
    for tick in axis.scale.ticks():
        x = percent_of(tick.position)
        parts.append(tag("line", x1=x, x2=x, y1="0", y2="100%", class_="grid" if tick.label else "grid fine"))
        if tick.label:
            parts.append(tag("text", tick.label, x=x, y="100%", dy="1.3em", text_anchor="middle"))
    parts.append(tag("text", axis.title, x="100%", y="100%", dy="2.7em", text_anchor="end", class_="unit"))
    return tag("g", *parts, class_="axis")


def _grid(chart: Chart) -> Markup:
    parts = []
    for tick in chart.y.scale.ticks():
        y = percent_of(1 - tick.position)
        parts.append(tag("line", x1="0", x2="100%", y1=y, y2=y, class_="grid" if tick.label else "grid fine"))
        if tick.label:
            parts.append(tag("text", tick.label, x="-8", y=y, dy="0.32em", text_anchor="end"))
    parts.append(tag("text", chart.y.title, x="0", y="0", dx="-48", dy="-0.9em", class_="unit"))
    base = tag("line", x1="0", x2="100%", y1="100%", y2="100%", class_="base")
    return join(x_axis(chart.x), tag("g", *parts, class_="axis"), base)


def _line(line: Line, chart: Chart) -> Markup:
    runs = _runs(line, chart)
    parts = []
    if line.is_filled:
        for run in runs:
            closed = f"{_path(run, is_stepped=line.is_stepped)}V{RESOLUTION}H{run[0][0]}Z"
            parts.append(tag("path", d=closed, class_="fill"))
    outline = "".join(_path(run, is_stepped=line.is_stepped) for run in runs)
    parts.append(tag("path", d=outline, class_="stroke"))
    return tag("g", tag("title", line.label), *parts, class_=line.style)


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


def _limit(limit: Limit, chart: Chart) -> Markup:
    position = chart.y.scale.position(limit.y)
    if not 0 < position < 1:
        return Markup("")
    y = percent_of(1 - position)
    return tag(
        "g",
        tag("line", x1="0", x2="100%", y1=y, y2=y),
        tag("text", limit.label, x="100%", y=y, dy="-0.4em", text_anchor="end"),
        class_="limit",
    )
