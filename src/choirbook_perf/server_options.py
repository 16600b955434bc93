"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from choirbook_perf.access import Access, access
from choirbook_perf.errors import BadInput

Headers = Annotated[
    list[str] | None,
    typer.Option("--header", metavar="'NAME: VALUE'", help="Header of every request; may be repeated."),
]
HeaderFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="File with one such header a line, for secrets.")
]
Ca = Annotated[Path | None, typer.Option("--ca", metavar="FILE", help="Trusted authorities in PEM.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Accept any certificate of the server.")]
Stdio = Annotated[
    bool, typer.Option("--stdio", help="Start a server over stdio for each user: --stdio -- COMMAND.")
]
Command = Annotated[list[str] | None, typer.Argument(metavar="[-- COMMAND]", help="Server over stdio.")]


def access_of(
    headers: list[str] | None, header_file: Path | None, ca: Path | None, *, is_insecure: bool
) -> Access:
    """Return the access that the options describe.

    Raises:
        BadInput: One of them cannot be used.
    """
    return access(headers or (), header_file, ca, is_insecure=is_insecure)


def stdio_of(command: list[str] | None, *, is_stdio: bool, url: str) -> tuple[str, ...]:
    """Return the command of a server over stdio, empty for one over HTTP.

    Raises:
        BadInput: The options do not fit together.
    """
    if is_stdio and not command:
        raise BadInput("--stdio needs the command of a server after --, such as: --stdio -- choirbook stdio.")
    if command and not is_stdio:
        raise BadInput(f"{command[0]!r} is not an option. A command of a server needs --stdio before it.")
    if is_stdio and url:
        raise BadInput("--stdio and --url exclude each other: a run has one server.")
    return tuple(command or ())
