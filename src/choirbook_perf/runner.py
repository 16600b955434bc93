"""One run of `choirbook perf test`: server, plan, load, server metrics, verdict, result file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from choirbook_perf import attempts, choirbook_server, engine, generator, judging, planner, results
from choirbook_perf import plan as plans
from choirbook_perf.access import Access
from choirbook_perf.delay_proxy import delayed
from choirbook_perf.engine import ClosedLoad, Load
from choirbook_perf.environment import environment
from choirbook_perf.errors import Inconclusive, OutputFailed
from choirbook_perf.generator import Shape
from choirbook_perf.plan import Plan
from choirbook_perf.recorder import Measured, Progress
from choirbook_perf.results import RESULT_NAME, Environment, Result, Row, Target
from choirbook_perf.scenario import Scenario, ThinkTime
from choirbook_perf.scraper import scrape
from choirbook_perf.slo import Threshold


class Own(NamedTuple):
    """Options of the Choirbook that the run starts."""

    workers: int
    cache_ttl_s: float
    library: Path | None


class Run(NamedTuple):
    """Options of a run."""

    load: Shape | Load
    """The load; a `Shape` is made by Locust, and anything else by the engine."""
    protocol: str
    era: str
    scenario: Scenario | None
    """Scenario; None for the mission's, or whatever the server has."""
    think_time_s: ThinkTime | None
    """Think time; None for the scenario's."""
    url: str | None
    """URL of the server; None starts a Choirbook."""
    own: Own
    thresholds: Sequence[Threshold]
    out: Path
    label: str = ""
    delay_ms: float = 0.0
    access: Access = Access()
    stdio: tuple[str, ...] = ()
    """Command of a server over stdio, instead of a URL."""


def run(asked: Run, watch: Callable[[Progress], None]) -> Result:
    """Make a run, and write its result beside Locust's own files.

    Args:
        asked: Options of the run.
        watch: Called with the progress every second.

    Raises:
        PerfError: Of any kind but GateFailed; the verdict is in the result.
    """
    prepare(asked.out)
    try:
        result = _measure(asked, watch)
    except KeyboardInterrupt:
        raise Inconclusive("Interrupted before anything was measured.") from None
    results.save(result, asked.out / RESULT_NAME)
    return result


def run_confirmed(asked: Run, run_once: Callable[[Run], Result]) -> Result:
    """Repeat a run as far as its verdict needs; write the last result, with the verdict over all of them.

    Args:
        asked: Options of each run. Each one's result is in a directory of its own below `asked.out`.
        run_once: Makes one run.

    Raises:
        PerfError: Of any kind but GateFailed; the verdict is in the result.
    """
    made: list[Result] = []

    def attempt(number: int) -> list[Row]:
        made.append(run_once(asked._replace(out=asked.out / f"run-{number}")))
        return made[-1].verdict

    rows = attempts.repeated(attempt)
    result = msgspec.structs.replace(made[-1], verdict=rows)
    results.save(result, asked.out / RESULT_NAME)
    return result


def _measure(asked: Run, watch: Callable[[Progress], None]) -> Result:
    with prepared(asked) as server:
        machine = environment()
        before = scrape(server.url, asked.access)
        measured, is_partial = _generate(asked, server, watch)
        after = scrape(server.url, asked.access)
    result = result_of(asked, server.plan, machine, measured, before, after)
    return msgspec.structs.replace(result, is_partial=is_partial)


class Prepared(NamedTuple):
    """A server that is ready to be loaded."""

    url: str
    plan: Plan
    loaded: Plan
    """The plan at the address that the load goes to, which may be a proxy's."""
    scratch: Path


@contextmanager
def prepared(asked: Run) -> Iterator[Prepared]:
    """Start the server, if it is not running, and plan the requests.

    Raises:
        PerfError: It cannot be started, reached or planned for.
    """
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="choirbook-perf-")))
        url = asked.url or ("" if asked.stdio else _start_own(asked.own, scratch, stack))
        plan = _plan(asked, url)
        loaded = plan
        if asked.delay_ms:
            loaded = plans.moved(plan, stack.enter_context(delayed(plan.url, asked.delay_ms)))
        yield Prepared(plan.url, plan, loaded, scratch)


def _generate(asked: Run, server: Prepared, watch: Callable[[Progress], None]) -> tuple[Measured, bool]:
    if isinstance(asked.load, Shape):
        return generator.generate(server.loaded, asked.load, asked.out, server.scratch, watch)
    return engine.run(server.loaded, asked.load, watch=watch)


def duration_s(load: Shape | Load) -> float:
    """Return the planned length of a load, in seconds."""
    return float(load.run_time_s) if isinstance(load, Shape) else load.total_s()


def work(asked: Run, master_host: str) -> None:
    """Run as a worker for a master on another machine.

    Raises:
        PerfError: The server or the master cannot be reached.
    """
    assert asked.url is not None
    assert isinstance(asked.load, Shape)
    plan = _plan(asked, asked.url)
    with tempfile.TemporaryDirectory(prefix="choirbook-perf-") as scratch:
        generator.work(plan, master_host, asked.load, Path(scratch))


def _plan(asked: Run, url: str) -> Plan:
    return planner.make_plan(
        url, asked.protocol, asked.era, asked.scenario, asked.think_time_s, asked.access, asked.stdio
    )


def prepare(out: Path) -> None:
    """Make the directory for results.

    Raises:
        OutputFailed: It cannot be written.
    """
    # Checked first: an error after five minutes of load would be annoying.
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise OutputFailed(
            f"The results cannot be written to {out}: {error.strerror}. Choose another directory with --out."
        ) from error


def _start_own(own: Own, scratch: Path, stack: ExitStack) -> str:
    # Without grace the next reader of an expired document has a miss, which is measured.
    settings = {"CACHE_TTL": f"{own.cache_ttl_s:g}", "CHOIRBOOK_CACHE_GRACE_S": "0"}
    options = ["--workers", str(own.workers)]
    started = choirbook_server.running(scratch / "server.log", options, settings, own.library)
    return stack.enter_context(started).url


def result_of(
    asked: Run,
    plan: Plan,
    machine: Environment,
    measured: Measured,
    before: dict[str, float],
    after: dict[str, float],
) -> Result:
    """Return the result of a load, with its verdict.

    Args:
        asked: Options of the run.
        plan: Requests that were made.
        machine: The machine, as it was before the load.
        measured: What the generator measured.
        before: The server's metrics before the load; empty if it has none.
        after: The server's metrics after it.
    """
    result = _unjudged(asked, plan, machine, measured)
    result = msgspec.structs.replace(result, server_before=before, server_after=after if before else {})
    return msgspec.structs.replace(result, verdict=judging.judge(result, asked.thresholds))


def _unjudged(asked: Run, plan: Plan, machine: Environment, measured: Measured) -> Result:
    return Result(
        started=datetime.fromtimestamp(measured.started_s, UTC).isoformat(timespec="milliseconds"),
        duration_s=measured.duration_s,
        label=asked.label,
        scenario=_scenario(asked, plan),
        target=target_of(asked, plan),
        environment=machine,
        generator=_generator(asked, measured),
        phases=measured.phases,
        first_byte_counts=measured.first_byte_counts,
        series=measured.series,
        timeline=measured.timeline,
        by_second=measured.by_second,
        failures=measured.failures,
        server_before={},
        server_after={},
        verdict=[],
    )


def _generator(asked: Run, measured: Measured) -> results.Generator:
    if not isinstance(asked.load, Shape):
        return measured.generator
    return msgspec.structs.replace(measured.generator, users=asked.load.users)


def _scenario(asked: Run, plan: Plan) -> dict[str, Any]:
    tasks = [
        {"name": task.name, "weight": task.weight, "resources": [each.address for each in task.operations]}
        for task in plan.tasks
    ]
    return {
        "name": plan.scenario,
        **_size(asked.load, plan),
        "inject_delay_ms": asked.delay_ms,
        "projects": list(plan.projects),
        "tasks": tasks,
    }


def target_of(asked: Run, plan: Plan) -> Target:
    """Describe the server of a run."""
    own = asked.own
    settings = {"workers": str(own.workers), "CACHE_TTL": f"{own.cache_ttl_s:g}"}
    if own.library is None:
        settings["library"] = "starter"
    # The address of a server started by the run is meaningless to later readers, and differs each time.
    path = urlsplit(plan.url).path
    return Target(
        url=plan.url if asked.url or asked.stdio else f"http://127.0.0.1{path}",
        protocol=plan.protocol,
        era=plan.era,
        server=plan.server,
        started_here=asked.url is None and not asked.stdio,
        settings={} if asked.url or asked.stdio else settings,
    )


def _size(load: Shape | Load, plan: Plan) -> dict[str, Any]:
    if isinstance(load, Shape | ClosedLoad):
        processes = {"processes": load.processes} if isinstance(load, Shape) else {}
        return {
            "users": load.users,
            "spawn_rate": load.spawn_rate,
            "run_time_s": load.run_time_s,
            **processes,
            "think_time_s": list(plan.think_time_s),
        }
    stages = [f"{stage.duration_s:g} s at {stage.rate:g}/s" for stage in load.stages]
    return {"arrivals": load.arrivals, "stages": stages, "max_in_flight": load.max_in_flight}
