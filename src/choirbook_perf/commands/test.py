"""`choirbook perf test`: load a server, and check the results against thresholds."""

from __future__ import annotations

import json as jsons
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from choirbook_perf import options
from choirbook_perf.errors import BadInput, Inconclusive

if TYPE_CHECKING:
    from choirbook_perf.results import Result
    from choirbook_perf.runner import Run


class Judging(NamedTuple):
    """Handling of what failed or could not be decided."""

    is_confirmed: bool
    fail_unmeasured: bool


OWN_CACHE_TTL_S = 2.0
"""Cache TTL in seconds for a Choirbook started by the run. With its default of 300 s a run would miss each
resource once, too rarely for a statement about misses; the table at the end of a run counts them."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("test")(load_test)


def load_test(
    url: options.Url = "",
    command: options.Command = None,
    users: options.Users = None,
    rate: options.Rate = None,
    arrivals: options.Distances = None,
    max_in_flight: options.MaxInFlight = None,
    stages: options.Stages = "",
    warm_up: options.WarmUp = None,
    spawn_rate: Annotated[float, typer.Option(min=0.001, help="New users per second.")] = 10,
    run_time: options.RunTime = "",
    quick: Annotated[bool, typer.Option("--quick", help="Run 30 users for 1 minute.")] = False,
    protocol: Annotated[options.Protocol, typer.Option(help="Protocol to use.")] = options.Protocol.HTTP,
    era: Annotated[options.Era, typer.Option(help="Era of MCP to use.")] = options.Era.AUTO,
    think_time: options.ThinkTime = "",
    scenario: options.ScenarioFile = None,
    slo: options.Slo = "mission",
    confirm: options.Confirm = False,
    fail_unmeasured: options.FailUnmeasured = False,
    out: options.ResultDirectory = None,
    label: Annotated[str, typer.Option(help="Name of the run, such as baseline.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
    inject_delay: options.InjectedDelay = 0,
    workers: options.Workers = 1,
    cache_ttl: options.CacheTtl = OWN_CACHE_TTL_S,
    library: options.Library = None,
    locust: options.Locust = False,
    processes: Annotated[int, typer.Option(min=1, help="Number of Locust's processes.")] = 1,
    master: options.Master = False,
    expect_workers: Annotated[int, typer.Option(min=1, help="Number of workers to wait for.")] = 1,
    worker: Annotated[bool, typer.Option("--worker", help="Work for a master; needs --url.")] = False,
    master_host: Annotated[str, typer.Option(help="Address of the master, for a worker.")] = "127.0.0.1",
    master_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the master.")] = 5557,
    header: options.Headers = None,
    header_file: options.HeaderFile = None,
    ca: options.Ca = None,
    insecure: options.Insecure = False,
    stdio: options.Stdio = False,
) -> None:
    """Load a server like many agents do. Exit 1 if a threshold is missed, 3 if the run is inconclusive."""
    from choirbook_perf import runner
    from choirbook_perf import scenario as scenarios
    from choirbook_perf import slo as slos
    from choirbook_perf.load_options import LoadOptions, Locust, load_of

    asked = runner.Run(
        load=load_of(
            LoadOptions(
                users=users,
                spawn_rate=spawn_rate,
                run_time=run_time,
                rate=rate,
                arrivals=arrivals.value if arrivals else None,
                max_in_flight=max_in_flight,
                stages=stages,
                warm_up_s=warm_up,
                is_quick=quick,
                locust=Locust(locust, processes, master, worker, expect_workers, master_port),
                has_think_time=bool(think_time),
            )
        ),
        protocol=protocol.value,
        era=era.value,
        scenario=scenarios.load(scenario) if scenario else None,
        think_time_s=scenarios.parse_think_time(think_time) if think_time else None,
        url=url or None,
        access=options.access_of(header, header_file, ca, is_insecure=insecure),
        stdio=options.stdio_of(command, is_stdio=stdio, url=url),
        own=runner.Own(workers, cache_ttl, library),
        thresholds=slos.load(slo),
        out=(out or _place(datetime.now(UTC))).absolute(),
        label=label,
        delay_ms=inject_delay,
    )
    _check(asked.url, is_distributed=master or worker)
    if worker:
        return runner.work(asked, master_host)
    return _run(asked, Judging(confirm, fail_unmeasured), as_json=json)


def _place(now: datetime) -> Path:
    """Return the directory for the results of a run that starts now."""
    return Path("perf-results") / f"{now:%Y%m%d-%H%M%S}"


def _run(asked: Run, judging: Judging, *, as_json: bool) -> None:
    """Make a run, or repeat it as needed; print it, and exit according to its verdict."""
    from choirbook_perf import gate, generator_summary, runner, verdict
    from choirbook_perf.progress import showing
    from choirbook_perf.results import RESULT_NAME

    def once(one: Run) -> Result:
        with showing(runner.duration_s(one.load), quiet=as_json) as watch:
            return runner.run(one, watch)

    result = runner.run_confirmed(asked, once) if judging.is_confirmed else once(asked)
    path = asked.out / RESULT_NAME
    if as_json:
        typer.echo(jsons.dumps(verdict.summary(result, str(path)), indent=2))
    else:
        verdict.show(result)
        generator_summary.show(result.generator)
        typer.echo(f"The result is in {path}")
    if not result.generator.is_valid:
        raise Inconclusive(f"There is no verdict. {' '.join(result.generator.reasons)}")
    gate.check(result.verdict, fail_unmeasured=judging.fail_unmeasured)


def _check(url: str | None, *, is_distributed: bool) -> None:
    if is_distributed and url is None:
        raise BadInput(
            "--master and --worker need --url: the address at which all machines reach the server."
        )
