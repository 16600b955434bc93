"""Rows of marks on one axis: the p50, p95 and p99 of each item, joined by a line. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from choirbook_perf.markup import Markup, tag
from choirbook_perf.plots.chart import Axis, percent_of, x_axis

ROW_PX = 34
LABEL_PX = 13
"""Height of a row's label above its line; beside it there would be no room on a narrow page."""


@dataclass(frozen=True, slots=True)
class Range:
    """One row."""

    label: str
    marks: Sequence[tuple[str, float]]
    """(name, value) in increasing order, such as ("p95", 0.8)."""
    style: str


@dataclass(frozen=True, slots=True)
class RangeChart:
    """Rows over one axis."""

    name: str
    title: str
    summary: str
    x: Axis
    rows: Sequence[Range]


def draw(chart: RangeChart) -> Markup:
    """Draw the rows from top to bottom."""
    return tag(
        "svg",
        tag("title", chart.title, id=f"{chart.name}-title"),
        tag("desc", chart.summary, id=f"{chart.name}-summary"),
        x_axis(chart.x),
        *(_row(row, index, chart.x) for index, row in enumerate(chart.rows)),
        class_="ranges",
        height=len(chart.rows) * ROW_PX + 62,  # includes the padding of the style sheet
        role="img",
        aria_labelledby=f"{chart.name}-title {chart.name}-summary",
        data_plot=chart.name,
        data_points=sum(len(row.marks) for row in chart.rows),
    )


def _row(row: Range, index: int, axis: Axis) -> Markup:
    top = index * ROW_PX
    y = top + LABEL_PX + 10
    xs = [percent_of(axis.scale.position(value)) for _, value in row.marks]
    shapes = [
        tag("circle", tag("title", f"{row.label}, {name}"), cx=x, cy=y, r=5 - place, class_=f"mark{place}")
        for place, (x, (name, _)) in enumerate(zip(xs, row.marks, strict=True))
    ]
    line = tag("line", x1=xs[0], x2=xs[-1], y1=y, y2=y, class_="stroke")
    label = tag("text", row.label, x="4", y=top + LABEL_PX, class_="row")
    return tag("g", label, line, *shapes, class_=row.style)
