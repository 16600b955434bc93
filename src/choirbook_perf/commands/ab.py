"""`choirbook perf ab`: compare two servers that take turns."""

from __future__ import annotations

import json as jsons
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from choirbook_perf import options

RESULT_NAME = "ab.json"

ROUNDS = 16
"""Rounds of a comparison: enough for intervals of five metrics at 99 % together, and to find 10 %."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ab")(ab)


def ab(
    old: Annotated[
        str,
        typer.Option(
            metavar="CMD|REF|URL",
            help="Server to compare with: a command with {port}, a commit, a checkout, or a URL.",
        ),
    ],
    new: Annotated[
        str, typer.Option(metavar="CMD|REF|URL", help="Server to judge, as --old.  [default: this checkout]")
    ] = ".",
    rounds: Annotated[
        int, typer.Option(min=1, help="Rounds, each with servers of its own and four pairs of slices.")
    ] = ROUNDS,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of a slice.")] = 2.0,
    rate: Annotated[
        float, typer.Option(min=0, help="Requests per second.  [default: half of what the old server can do]")
    ] = 0,
    protocol: Annotated[options.Protocol, typer.Option(help="Protocol to use.")] = options.Protocol.HTTP,
    era: Annotated[options.Era, typer.Option(help="Era of MCP to use.")] = options.Era.AUTO,
    scenario: options.ScenarioFile = None,
    library: options.Library = None,
    workers: Annotated[int, typer.Option(min=1, help="Workers of each Choirbook that is started.")] = 1,
    header: options.Headers = None,
    header_file: options.HeaderFile = None,
    ca: options.Ca = None,
    insecure: options.Insecure = False,
    band: Annotated[
        float, typer.Option(min=0, help="Per cent; smaller differences are called the same.")
    ] = 3,
    margin: Annotated[float, typer.Option(min=0.1, help="Per cent; a slowdown that has to be found.")] = 10,
    metric: Annotated[
        list[str] | None, typer.Option(help="Metric to judge; may be repeated.  [default: all]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the order of the slices.")] = 1,
    out: options.ResultDirectory = None,
    json: Annotated[bool, typer.Option("--json", help="Print the outcomes as JSON.")] = False,
) -> None:
    """Compare two servers, loaded in turns. Exit 1 if the new one is slower, 3 if that is unknown."""
    from choirbook_perf import runner
    from choirbook_perf import scenario as scenarios
    from choirbook_perf.ab import judging, progress, results, running, show
    from choirbook_perf.ab.schedule import PAIRS
    from choirbook_perf.stats.decisions import Limits

    asked = running.Asked(
        old=old,
        new=new,
        rounds=rounds,
        pairs=PAIRS,
        rate=rate,
        seconds=seconds,
        protocol=protocol.value,
        era=era.value,
        scenario=scenarios.load(scenario) if scenario else None,
        library=library,
        workers=workers,
        limits=Limits(band / 100, margin / 100),
        seed=seed,
        metrics=judging.chosen(metric or []),
        access=options.access_of(header, header_file, ca, is_insecure=insecure),
    )
    directory = out or Path("perf-results") / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    runner.prepare(directory)
    with progress.showing(rounds * (PAIRS + 1) * 2, quiet=json) as watch:
        found = running.run(asked, watch)
    path = directory / RESULT_NAME
    results.save(found, path)
    if json:
        typer.echo(jsons.dumps(show.summary(found, str(path)), indent=2))
    else:
        show.show(found)
        typer.echo(f"The result is in {path}")
    show.check(found)
