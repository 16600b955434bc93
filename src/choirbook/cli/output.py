"""Output of all commands: no untrusted text reaches a terminal unescaped.

Titles, file names, URIs and messages may hold control characters. They are escaped here, so that no command
has to remember it; a test checks that nothing else in `cli` prints.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from choirbook.text.escapes import shown, shown_json, shown_lines

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 240
"""Width of tables in a pipe, in characters, which has none of its own; cutting URIs there would lose
information."""


def say(line: str = "") -> None:
    """Print one line on stdout."""
    print(shown(line))


def complain(line: str) -> None:
    """Print one line on stderr."""
    print(shown(line), file=sys.stderr)


def say_json(value: object, *, indent: int = 2) -> None:
    """Print a value as JSON on stdout, over several lines."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=indent).decode()
    print("\n".join(map(shown_json, text.split("\n"))))


def say_json_line(value: object) -> None:
    """Print a value as one line of JSON on stdout, at once."""
    print(shown_json(msgspec.json.encode(value).decode()), flush=True)


def say_csv(rows: Iterable[Iterable[object]]) -> None:
    """Print rows as CSV on stdout."""
    import csv

    write = csv.writer(sys.stdout, lineterminator="\n").writerow
    for row in rows:
        write([shown(cell) if isinstance(cell, str) else cell for cell in row])


def say_document(data: bytes) -> None:
    """Print a text document on a terminal.

    Raises:
        UnicodeDecodeError: It is not UTF-8.
    """
    print(shown_lines(data.decode("utf-8")), end="")


def console(*, stderr: bool = False, pipe_width: int = PIPE_WIDTH, **options: Any) -> Console:
    """Return a console for tables; each string that it prints, and each cell of a table, is one line."""
    # Slow to import, and most commands print without it.
    from rich.console import Console
    from rich.text import Text

    class SafeConsole(Console):
        def render_str(self, text: str, *args: Any, **kwargs: Any) -> Text:
            return super().render_str(shown(text), *args, **kwargs)

    width = None if sys.stdout.isatty() else pipe_width
    settings = {"highlight": False, "markup": False, "emoji": False, "width": width, "stderr": stderr}
    return SafeConsole(**{**settings, **options})
