"""`choirbook perf baseline`: keep runs to compare with later."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Keep runs in perf-baselines/, to compare with later by their name.", no_args_is_help=True
    )
    group.command("save")(save)
    group.command("list")(list_)
    app.add_typer(group, name="baseline")


def save(
    name: Annotated[str, typer.Argument(help="Name of the baseline, such as main.")],
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Result files, or directories of runs.")
    ],
) -> None:
    """Keep runs under a name, beside those already there."""
    from choirbook_perf import baselines, run_files

    for path in baselines.save(name, run_files.load_set(runs)):
        typer.echo(str(path))


def list_(
    json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the baselines by name and machine."""
    from choirbook_perf import baselines

    found = baselines.listed()
    if json:
        typer.echo(jsons.dumps([each._asdict() for each in found], indent=2))
        return
    for each in found:
        typer.echo(f"{each.name}  machine {each.machine}  {each.runs} runs  {each.first} to {each.last}")
    if not found:
        typer.echo("No baselines. Keep runs with: choirbook perf baseline save NAME RUN...")
