"""`choirbook perf test`: load a server, and check the results against thresholds."""

from __future__ import annotations

import json as jsons
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from choirbook_perf import server_options
from choirbook_perf.errors import BadInput

if TYPE_CHECKING:
    from choirbook_perf.runner import Run


class Protocol(StrEnum):
    """Protocol to use."""

    HTTP = "http"
    MCP = "mcp"


class Era(StrEnum):
    """Era of MCP to use."""

    AUTO = "auto"
    MODERN = "modern"
    HANDSHAKE = "handshake"


class Arrivals(StrEnum):
    """Distances between requests in the open model."""

    CONSTANT = "constant"
    POISSON = "poisson"


OWN_CACHE_TTL_S = 2.0
"""Cache TTL in seconds for a Choirbook started by the run. With its default of 300 s a run would miss each
resource once, too rarely for a statement about misses; the table at the end of a run counts them."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("test")(load_test)


def load_test(
    url: Annotated[
        str, typer.Option(help="URL of the server or its MCP endpoint.  [default: start a Choirbook]")
    ] = "",
    command: server_options.Command = None,
    users: Annotated[
        int | None,
        typer.Option(min=1, help="Closed model: users who wait for each answer.  [default: 100]"),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.001, metavar="N", help="Open model: requests per second, whatever the server does."
        ),
    ] = None,
    arrivals: Annotated[
        Arrivals | None, typer.Option(help="Distances between requests with --rate.  [default: constant]")
    ] = None,
    max_in_flight: Annotated[
        int | None,
        typer.Option(min=1, help="Most requests under way with --rate; those beyond are counted."),
    ] = None,
    stages: Annotated[
        str, typer.Option(metavar="TIME:RATE,...", help="Several rates in turn, such as 30s:100,60s:500.")
    ] = "",
    warm_up: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="Load before the measurement.  [default: 2]"),
    ] = None,
    spawn_rate: Annotated[float, typer.Option(min=0.001, help="New users per second.")] = 10,
    run_time: Annotated[
        str, typer.Option(help="Length of the measurement, such as 90s or 1h30m.  [default: 5m]")
    ] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Run 30 users for 1 minute.")] = False,
    protocol: Annotated[Protocol, typer.Option(help="Protocol to use.")] = Protocol.HTTP,
    era: Annotated[Era, typer.Option(help="Era of MCP to use.")] = Era.AUTO,
    think_time: Annotated[
        str, typer.Option(metavar="MIN-MAX|none", help="Pause of a user, in seconds.  [default: 0.1-0.5]")
    ] = "",
    scenario: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML: what to read.  [default: the built-in mix]")
    ] = None,
    slo: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML: thresholds.  [default: the built-in ones]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Result directory.  [default: perf-results/<time>]")
    ] = None,
    label: Annotated[str, typer.Option(help="Name of the run, such as baseline.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
    inject_delay: Annotated[
        float, typer.Option(min=0, metavar="MS", help="Delay every answer, to show that the gate works.")
    ] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Workers of the Choirbook that is started.")] = 1,
    cache_ttl: Annotated[
        float, typer.Option(min=0.001, help="Cache lifetime of the Choirbook that is started, in seconds.")
    ] = OWN_CACHE_TTL_S,
    library: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Library to serve.  [default: the starter library]")
    ] = None,
    locust: Annotated[
        bool, typer.Option("--locust", help="Let Locust make the load. It does not check itself.")
    ] = False,
    processes: Annotated[int, typer.Option(min=1, help="Number of Locust's processes.")] = 1,
    master: Annotated[
        bool, typer.Option("--master", help="Let Locust's workers on other machines make the load.")
    ] = False,
    expect_workers: Annotated[int, typer.Option(min=1, help="Number of workers to wait for.")] = 1,
    worker: Annotated[bool, typer.Option("--worker", help="Work for a master; needs --url.")] = False,
    master_host: Annotated[str, typer.Option(help="Address of the master, for a worker.")] = "127.0.0.1",
    master_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the master.")] = 5557,
    header: server_options.Headers = None,
    header_file: server_options.HeaderFile = None,
    ca: server_options.Ca = None,
    insecure: server_options.Insecure = False,
    stdio: server_options.Stdio = False,
) -> None:
    """Load a server like many agents do. Exit 1 if a threshold is missed, 3 if the run is inconclusive."""
    from choirbook_perf import runner
    from choirbook_perf import scenario as scenarios
    from choirbook_perf import slo as slos
    from choirbook_perf.generator import Shape
    from choirbook_perf.load_options import LoadOptions, load_of

    options = LoadOptions(
        users=users,
        spawn_rate=spawn_rate,
        run_time=run_time,
        rate=rate,
        arrivals=arrivals.value if arrivals else None,
        max_in_flight=max_in_flight,
        stages=stages,
        warm_up_s=warm_up,
        is_quick=quick,
        is_locust=locust,
        processes=processes,
        is_master=master,
        is_worker=worker,
        expect_workers=expect_workers,
        master_port=master_port,
        has_think_time=bool(think_time),
    )
    asked = runner.Run(
        load=load_of(options),
        protocol=protocol.value,
        era=era.value,
        scenario=scenarios.load(scenario) if scenario else None,
        think_time_s=scenarios.parse_think_time(think_time) if think_time else None,
        url=url or None,
        access=server_options.access_of(header, header_file, ca, is_insecure=insecure),
        stdio=server_options.stdio_of(command, is_stdio=stdio, url=url),
        own=runner.Own(workers, cache_ttl, library),
        thresholds=slos.load(slo) if slo else slos.MISSION,
        out=(out or _place(datetime.now(UTC))).absolute(),
        label=label,
        delay_ms=inject_delay,
    )
    _check(asked.url, is_distributed=master or worker)
    if stdio and isinstance(asked.load, Shape):
        raise BadInput("--stdio cannot be combined with --locust, --processes, --master or --worker.")
    if worker:
        runner.work(asked, master_host)
    else:
        _run(asked, as_json=json)


def _place(now: datetime) -> Path:
    """Return the directory for the results of a run that starts now."""
    return Path("perf-results") / f"{now:%Y%m%d-%H%M%S}"


def _run(asked: Run, *, as_json: bool) -> None:
    """Make a run, print it, and exit according to its verdict."""
    from choirbook_perf import gate, generator_summary, runner, verdict
    from choirbook_perf.progress import showing

    with showing(runner.duration_s(asked.load), quiet=as_json) as watch:
        result = runner.run(asked, watch)
    path = asked.out / runner.RESULT_NAME
    if as_json:
        typer.echo(jsons.dumps(verdict.summary(result, str(path)), indent=2))
    else:
        verdict.show(result)
        generator_summary.show(result.generator)
        typer.echo(f"The result is in {path}")
    gate.check(result.verdict)


def _check(url: str | None, *, is_distributed: bool) -> None:
    if is_distributed and url is None:
        raise BadInput(
            "--master and --worker need --url: the address at which all machines reach the server."
        )
