"""`choirbook perf export`: a result in the format of another tool."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """Format to write."""

    JSON = "json"
    CSV = "csv"
    HGRM = "hgrm"
    JUNIT = "junit"
    STEP_SUMMARY = "step-summary"
    PROMETHEUS = "prometheus"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    result: Annotated[
        Path, typer.Argument(metavar="RESULT", help="A result file, or the directory of a run.")
    ],
    to: Annotated[Format, typer.Option(help="Format to write.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File to write.  [default: standard output]")
    ] = None,
) -> None:
    """Write a result in the format of another tool. Exit 0 whatever its verdict is."""
    from choirbook_perf.exports import FORMATS
    from choirbook_perf.output import write_text
    from choirbook_perf.results import RESULT_NAME, load

    text = FORMATS[to.value](load(result / RESULT_NAME if result.is_dir() else result))
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text(out, text)
