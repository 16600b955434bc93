"""Building blocks of all sections: tables, figures with their numbers, legends. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from choirbook_perf.markup import Markup, join, tag

Cell = str


def table(caption: str, head: Sequence[Cell], rows: Sequence[Sequence[Cell]], *, texts: int = 1) -> Markup:
    """Create a table that scrolls within itself on a narrow page.

    Args:
        caption: Title, with the unit of its numbers.
        head: Names of the columns.
        rows: Cells; the first one is the row's name.
        texts: Number of columns with text, from the left; the others contain numbers.
    """
    header = tag(
        "tr", *(tag("th", cell, scope="col", class_=_kind(at, texts)) for at, cell in enumerate(head))
    )
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            *(tag("td", cell, class_=_kind(at, texts)) for at, cell in enumerate(row[1:], start=1)),
        )
        for row in rows
    ]
    # Focus lets the keyboard scroll it.
    return tag(
        "div",
        tag("table", tag("caption", caption), tag("thead", header), tag("tbody", *body)),
        class_="table",
        tabindex=0,
        role="region",
        aria_label=caption,
    )


def _kind(at: int, texts: int) -> str | None:
    return None if at < texts else "figure"


def figure(title: str, explanation: str, plot: Markup, numbers: Markup, legend: str = "") -> Markup:
    """Combine a plot with its text and, collapsed, its numbers."""
    return tag(
        "figure",
        tag("figcaption", tag("h3", title), tag("p", explanation)),
        legend,
        plot,
        tag("details", tag("summary", "The figures of this plot"), numbers),
    )


def legend(entries: Sequence[tuple[str, str]]) -> Markup:
    """Create a legend of (name, CSS class of a line)."""
    return tag("ul", *(tag("li", _swatch(style), name) for name, style in entries), class_="legend")


def _swatch(style: str) -> Markup:
    line = tag("line", x1=1, x2=25, y1=6, y2=6, class_="stroke")
    return tag("svg", tag("g", line, class_=style), width=26, height=12, class_="swatch", aria_hidden="true")


def section(name: str, title: str, *children: str) -> Markup:
    """Create a section that the page's contents link to."""
    return tag("section", tag("h2", title, id=name), *children, aria_labelledby=name)


def columns(*children: Markup) -> Markup:
    """Put panels side by side, or below each other on a narrow page."""
    return tag("div", *children, class_="columns") if len(children) > 1 else join(*children)


OUTCOMES = {"pass": "✓ pass", "fail": "✗ fail", "inconclusive": "? inconclusive"}


def badge(outcome: str) -> Markup:
    """Show an outcome by word, symbol and colour."""
    known = outcome if outcome in OUTCOMES else "inconclusive"
    return tag("span", OUTCOMES.get(outcome, outcome), class_=f"badge {known}")
