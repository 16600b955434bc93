"""`choirbook perf report`: results in, one HTML page out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[
    list[Path], typer.Argument(metavar="RESULT...", help="Result files, or directories of runs.")
]
RESULT_NAME = "result.json"
"""Name that `perf test` uses in the directory of a run."""

Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="The page to write.")]
FlameGraph = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="SVG", help="Flame graph of perf profile for the first result; repeat for the next ones."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    results: Results, out: Out = Path("performance-report.html"), flame_graph: FlameGraph = None
) -> None:
    """Make one HTML page from results. It shows them side by side, and needs no network and no scripts."""
    from choirbook_perf.output import write_text
    from choirbook_perf.report import page
    from choirbook_perf.report.flames import with_flame_graphs
    from choirbook_perf.results import load

    files = [path / RESULT_NAME if path.is_dir() else path for path in results]
    loaded = with_flame_graphs([load(path) for path in files], flame_graph or [])
    write_text(out, page(loaded))
    typer.echo(f"The report is in {out}.")
