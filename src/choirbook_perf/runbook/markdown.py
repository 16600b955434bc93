"""Tables in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Sequence

NOT_MEASURED = "> **Not measured yet:** `{name}` is not there. `{command}` makes it."

WITHOUT = "> **Not measured yet:** `{name}` has no {what}. `{command}` makes one."


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1) -> str:
    """Create a table.

    Args:
        head: Names of the columns.
        rows: Cells.
        texts: Number of columns with text, from the left; the others contain numbers, aligned right.
    """
    marks = ["---" if at < texts else "---:" for at in range(len(head))]
    return "\n".join(_line(cells) for cells in (head, marks, *rows))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def code(text: str) -> str:
    """Format a command or a query in a cell; `table` escapes it as needed."""
    return f"`{text}`" if text else ""


def not_measured(name: str, command: str) -> str:
    """State on the page that a result file is missing, and which command creates it."""
    return NOT_MEASURED.format(name=name, command=command)


def without(name: str, what: str, command: str) -> str:
    """State on the page that a result file lacks a part, and which command creates it."""
    return WITHOUT.format(name=name, what=what, command=command)
