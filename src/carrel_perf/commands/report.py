"""`carrel perf report`: results in, one HTML page out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[
    list[Path], typer.Argument(metavar="RESULT...", help="Result files, as `perf test` writes them.")
]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="The page to write.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(results: Results, out: Out = Path("performance-report.html")) -> None:
    """Make one HTML page of some results, side by side; it needs no network and no script."""
    from carrel_perf.output import write_text
    from carrel_perf.report import page
    from carrel_perf.results import load

    write_text(out, page([load(path) for path in results]))
    typer.echo(f"The report is in {out}.")
