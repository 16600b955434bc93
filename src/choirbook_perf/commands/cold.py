"""`choirbook perf cold`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(cold)


def cold(
    library: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Library to serve.  [default: the starter library]")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Number of starts of each kind.")] = 5,
    resources: Annotated[
        int, typer.Option(min=1, help="Maximum number of resources to read first, evenly spread.")
    ] = 200,
    limit_ms: Annotated[
        float, typer.Option(min=0, help="Longest acceptable cold read, in milliseconds.")
    ] = 100.0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File to write the result to, as JSON.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Measure starts, cold first reads and misses. Shows whether the library must be preloaded."""
    from choirbook_perf.cold import table_of
    from choirbook_perf.coldrun import ColdOptions, ColdRun
    from choirbook_perf.output import to_json, write_text
    from choirbook_perf.own_server import starter_library

    options = ColdOptions(library or starter_library(), rounds, resources, limit_ms)
    result = ColdRun(options, lambda text: typer.echo(text, err=True)).run()
    if out is not None:
        write_text(out, to_json(result))
    typer.echo(to_json(result) if json else table_of(result), nl=not json)
