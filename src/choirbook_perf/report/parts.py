"""Building blocks of all sections: tables, figures with their numbers, legends. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from choirbook_perf.templating import call

Cell = str
NOTHING = Markup()

_PARTS = "parts.html"


class Section(NamedTuple):
    """A section of the page, which its contents link to."""

    name: str
    """Its id."""
    title: str
    parts: Sequence[str]
    """A plain `str` is text."""


def section(name: str, title: str, *parts: str) -> Section:
    """Make a section of what it holds."""
    return Section(name, title, parts)


def table(caption: str, head: Sequence[Cell], rows: Sequence[Sequence[Cell]], *, texts: int = 1) -> Markup:
    """Create a table that scrolls within itself on a narrow page.

    Args:
        caption: Title, with the unit of its numbers.
        head: Names of the columns.
        rows: Cells; the first one is the row's name.
        texts: Number of columns with text, from the left; the others contain numbers.
    """
    return call(_PARTS, "table", caption, head, rows, texts)


def figure(title: str, explanation: str, plot: Markup, numbers: Markup, legend: Markup = NOTHING) -> Markup:
    """Combine a plot with its text and, collapsed, its numbers."""
    return call(_PARTS, "figure", title, explanation, plot, numbers, legend)


def legend(entries: Sequence[tuple[str, str]]) -> Markup:
    """Create a legend of (name, CSS class of a line)."""
    return call(_PARTS, "legend", entries)


def columns(*panels: Markup) -> Markup:
    """Put panels side by side, or below each other on a narrow page."""
    return call(_PARTS, "columns", panels)


def note(text: str) -> Markup:
    """Make a paragraph that stands out."""
    return call(_PARTS, "note", text)


OUTCOMES = {
    "pass": "✓ pass",
    "fail": "✗ fail",
    "inconclusive": "? inconclusive",
    "not measured": "\N{EN DASH} not measured",
}


def badge(outcome: str) -> Markup:
    """Show an outcome by word, symbol and colour."""
    known = outcome if outcome in {"pass", "fail"} else "inconclusive"
    return call(_PARTS, "badge", known, OUTCOMES.get(outcome, outcome))
