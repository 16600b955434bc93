"""`choirbook perf capacity`: the highest rate at which a server keeps its SLO."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from choirbook_perf import options
from choirbook_perf.commands.test import OWN_CACHE_TTL_S
from choirbook_perf.errors import Inconclusive

RESULT_NAME, PAGE_NAME = "capacity.json", "capacity.html"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("capacity")(capacity)


def capacity(
    slo: options.Slo = "mission",
    url: options.Url = "",
    command: options.Command = None,
    start: Annotated[float, typer.Option(min=1, help="First rate, in requests per second.")] = 100,
    max_rate: Annotated[float, typer.Option(min=1, help="Rate to stop at.")] = 50_000,
    arrivals: options.Distances = None,
    duration: Annotated[float, typer.Option(min=1, help="Seconds of each measurement.")] = 10,
    warm_up: Annotated[float, typer.Option(min=0, help="Seconds of load before each measurement.")] = 1,
    precision: Annotated[
        float, typer.Option(min=0.005, max=0.5, help="Width of the interval, as a share of the rate.")
    ] = 0.03,
    repeats: Annotated[int, typer.Option(min=1, help="Measurements at each end of the interval.")] = 3,
    max_in_flight: Annotated[int, typer.Option(min=1, help="Most requests under way.")] = 2_000,
    protocol: Annotated[options.Protocol, typer.Option(help="Protocol to use.")] = options.Protocol.HTTP,
    era: Annotated[options.Era, typer.Option(help="Era of MCP to use.")] = options.Era.AUTO,
    scenario: options.ScenarioFile = None,
    workers: options.Workers = 1,
    library: options.Library = None,
    out: options.ResultDirectory = None,
    label: Annotated[str, typer.Option(help="Name of the run.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    header: options.Headers = None,
    header_file: options.HeaderFile = None,
    ca: options.Ca = None,
    insecure: options.Insecure = False,
    stdio: options.Stdio = False,
) -> None:
    """Find the highest rate that keeps an SLO. Exit 3 if the generator reached its own limit first."""
    from choirbook_perf import runner
    from choirbook_perf import scenario as scenarios
    from choirbook_perf import slo as slos
    from choirbook_perf.capacity import measuring, results
    from choirbook_perf.capacity.page import page
    from choirbook_perf.engine import ClosedLoad
    from choirbook_perf.output import to_json, write_text

    directory = (out or Path("perf-results") / f"{datetime.now(UTC):%Y%m%d-%H%M%S}").absolute()
    asked = runner.Run(
        load=ClosedLoad(users=1, run_time_s=duration, spawn_rate=1),
        protocol=protocol.value,
        era=era.value,
        scenario=scenarios.load(scenario) if scenario else None,
        think_time_s=None,
        url=url or None,
        access=options.access_of(header, header_file, ca, is_insecure=insecure),
        stdio=options.stdio_of(command, is_stdio=stdio, url=url),
        own=runner.Own(workers, OWN_CACHE_TTL_S, library),
        thresholds=slos.load(slo),
        out=directory,
        label=label,
    )
    arrival = arrivals or options.Arrivals.CONSTANT
    search = measuring.CapacityOptions(
        arrival.value, duration, warm_up, start, max_rate, precision, repeats, max_in_flight
    )
    runner.prepare(directory)
    found = measuring.CapacityRun(asked, search, lambda line: typer.echo(line, err=True)).run()
    write_text(directory / RESULT_NAME, to_json(found))
    write_text(directory / PAGE_NAME, page(found))
    if json:
        typer.echo(to_json(found), nl=False)
    else:
        results.show(found)
        typer.echo(f"The result is in {directory / RESULT_NAME}, its page beside it")
    if found.rate is None:
        raise Inconclusive(found.reason)
