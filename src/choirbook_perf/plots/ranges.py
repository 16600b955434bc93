"""Rows of marks on one axis: the p50, p95 and p99 of each item, joined by a line. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from choirbook_perf.plots.chart import PLOTS, Axis, percent_of, x_ticks
from choirbook_perf.templating import call

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
    points = sum(len(row.marks) for row in chart.rows)
    height = len(chart.rows) * ROW_PX + 62  # includes the padding of the style sheet
    rows = [_row(row, index * ROW_PX, chart.x) for index, row in enumerate(chart.rows)]
    return call(PLOTS, "ranges", chart, points, x_ticks(chart.x), height, rows)


def _row(row: Range, top: int, axis: Axis) -> tuple[Range, int, int, list[tuple[str, str]]]:
    """Return a row, the heights of its label and its line, and (place, name) of its marks."""
    marks = [(percent_of(axis.scale.position(value)), name) for name, value in row.marks]
    return row, top + LABEL_PX, top + LABEL_PX + 10, marks
