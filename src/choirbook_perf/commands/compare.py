"""`choirbook perf compare`: check whether the new run is slower than the old one."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare")(compare)


def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A result file, or the directory of a run.")],
    new: Annotated[
        Path, typer.Argument(metavar="NEW", help="The newer result; a file or directory, as OLD.")
    ],
    margin: Annotated[
        float, typer.Option(min=0, help="Per cent; a larger change for the worse is a regression.")
    ] = 10,
    across_machines: Annotated[
        bool, typer.Option("--across-machines", help="Compare runs even if they are from different machines.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare two runs, metric by metric; exit 1 on a regression."""
    from choirbook_perf import compare as comparison
    from choirbook_perf import verdict

    before, after = comparison.load(old), comparison.load(new)
    comparison.check_comparable(before, after, across_machines=across_machines)
    changes = comparison.compare(before, after, margin / 100)
    if json:
        typer.echo(jsons.dumps(verdict.changes_summary(changes), indent=2))
    else:
        verdict.show_changes(changes)
    comparison.check(changes, margin / 100)
