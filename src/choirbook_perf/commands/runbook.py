"""`choirbook perf runbook`: the runbook, generated from its template and the stored results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Directory = Annotated[
    Path, typer.Option("--results", metavar="DIR", help="Directory with the template and the results.")
]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="The page to write.")]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if the page is out of date.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("runbook")(runbook)


def runbook(
    results: Directory = Path("docs/performance"),
    out: Out = Path("docs/performance-runbook.md"),
    check: Check = False,
) -> None:
    """Make the performance runbook. Its tables come from the result files."""
    from choirbook_perf.errors import GateFailed
    from choirbook_perf.output import write_text
    from choirbook_perf.runbook import render

    page = render(results)
    if not check:
        write_text(out, page)
        typer.echo(f"The runbook is in {out}.")
    elif not out.is_file() or out.read_text(encoding="utf-8") != page:
        raise GateFailed(f"{out} is out of date: its results have changed. Run: choirbook perf runbook")
