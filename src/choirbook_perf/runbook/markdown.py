"""Tables in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Sequence

NOT_MEASURED = "> **Not measured yet:** `{name}` is not there. `{command}` makes it."


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1) -> str:
    """Make a table.

    Args:
        head: The columns' names.
        rows: Cells.
        texts: How many columns hold text, from the left; the others hold figures, to the right.
    """
    marks = ["---" if at < texts else "---:" for at in range(len(head))]
    return "\n".join(_line(cells) for cells in (head, marks, *rows))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def code(text: str) -> str:
    """Spell a command or a query in a cell; `table` escapes what it has to."""
    return f"`{text}`" if text else ""


def not_measured(name: str, command: str) -> str:
    """Say in the page that a result file is not there, and what makes it."""
    return NOT_MEASURED.format(name=name, command=command)
