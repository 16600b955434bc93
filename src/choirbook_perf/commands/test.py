"""`choirbook perf test`: load a server, and check the results against thresholds."""

from __future__ import annotations

import json as jsons
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from choirbook_perf.errors import BadInput

if TYPE_CHECKING:
    from choirbook_perf.results import Result
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


class Size(NamedTuple):
    """Size of a load."""

    users: int
    run_time: str


class Judging(NamedTuple):
    """Handling of what failed or could not be decided."""

    is_confirmed: bool
    fail_unmeasured: bool


FULL = Size(100, "5m")
QUICK = Size(30, "1m")

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
    users: Annotated[int | None, typer.Option(min=1, help="Concurrent users.  [default: 100]")] = None,
    spawn_rate: Annotated[float, typer.Option(min=0.001, help="New users per second.")] = 10,
    run_time: Annotated[str, typer.Option(help="Length, such as 90s or 1h30m.  [default: 5m]")] = "",
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
        str, typer.Option(metavar="FILE|mission|tight", help="TOML: thresholds, or a built-in file.")
    ] = "mission",
    confirm: Annotated[
        bool,
        typer.Option("--confirm", help="Repeat an undecided or failed run. What failed once never passes."),
    ] = False,
    fail_unmeasured: Annotated[
        bool,
        typer.Option("--fail-unmeasured", help="Exit 1 instead of 3 if a required row was not measured."),
    ] = False,
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
    processes: Annotated[int, typer.Option(min=1, help="Number of processes that generate the load.")] = 1,
    master: Annotated[
        bool, typer.Option("--master", help="Let workers on other machines generate the load.")
    ] = False,
    expect_workers: Annotated[int, typer.Option(min=1, help="Number of workers to wait for.")] = 1,
    worker: Annotated[bool, typer.Option("--worker", help="Work for a master; needs --url.")] = False,
    master_host: Annotated[str, typer.Option(help="Address of the master, for a worker.")] = "127.0.0.1",
    master_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the master.")] = 5557,
) -> None:
    """Load a server like many agents do. Exit 1 if a threshold is missed, 3 if the run is inconclusive."""
    from choirbook_perf import runner
    from choirbook_perf import scenario as scenarios
    from choirbook_perf import slo as slos
    from choirbook_perf.generator import Shape

    size = QUICK if quick else FULL
    run_time_s = scenarios.parse_duration_s(run_time or size.run_time)
    asked = runner.Run(
        shape=Shape(
            users or size.users, spawn_rate, run_time_s, processes, master, expect_workers, master_port
        ),
        protocol=protocol.value,
        era=era.value,
        scenario=scenarios.load(scenario) if scenario else None,
        think_time_s=scenarios.parse_think_time(think_time) if think_time else None,
        url=url or None,
        own=runner.Own(workers, cache_ttl, library),
        thresholds=slos.load(slo),
        out=(out or _place(datetime.now(UTC))).absolute(),
        label=label,
        delay_ms=inject_delay,
    )
    _check(asked.url, is_distributed=master or worker, is_both=master and (worker or processes > 1))
    if worker:
        runner.work(asked, master_host)
    else:
        _run(asked, Judging(confirm, fail_unmeasured), as_json=json)


def _place(now: datetime) -> Path:
    """Return the directory for the results of a run that starts now."""
    return Path("perf-results") / f"{now:%Y%m%d-%H%M%S}"


def _run(asked: Run, judging: Judging, *, as_json: bool) -> None:
    """Make a run, or repeat it as needed; print it, and exit according to its verdict."""
    from choirbook_perf import gate, runner, verdict
    from choirbook_perf.progress import showing
    from choirbook_perf.results import RESULT_NAME

    def once(one: Run) -> Result:
        with showing(one.shape.run_time_s, quiet=as_json) as watch:
            return runner.run(one, watch)

    result = runner.run_confirmed(asked, once) if judging.is_confirmed else once(asked)
    path = asked.out / RESULT_NAME
    if as_json:
        typer.echo(jsons.dumps(verdict.summary(result, str(path)), indent=2))
    else:
        verdict.show(result)
        typer.echo(f"The result is in {path}")
    gate.check(result.verdict, fail_unmeasured=judging.fail_unmeasured)


def _check(url: str | None, *, is_distributed: bool, is_both: bool) -> None:
    if is_both:
        raise BadInput(
            "--master cannot be combined with --worker or --processes: a master generates no load."
        )
    if is_distributed and url is None:
        raise BadInput(
            "--master and --worker need --url: the address at which all machines reach the server."
        )
