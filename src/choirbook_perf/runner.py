"""One run of `choirbook perf test`: server, plan, load, server metrics, verdict, result file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from choirbook_perf import choirbook_server, gate, generator, planner, results
from choirbook_perf import plan as plans
from choirbook_perf.delay_proxy import delayed
from choirbook_perf.environment import environment
from choirbook_perf.errors import Inconclusive, OutputFailed
from choirbook_perf.generator import Shape
from choirbook_perf.plan import Plan
from choirbook_perf.recorder import Measured, Progress
from choirbook_perf.results import Environment, Result, Target
from choirbook_perf.scenario import Scenario, ThinkTime
from choirbook_perf.scraper import scrape
from choirbook_perf.slo import Threshold

RESULT_NAME = "result.json"


class Own(NamedTuple):
    """Options of the Choirbook that the run starts."""

    workers: int
    cache_ttl_s: float
    library: Path | None


class Run(NamedTuple):
    """Options of a run."""

    shape: Shape
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


def run(asked: Run, watch: Callable[[Progress], None]) -> Result:
    """Make a run, and write its result beside Locust's own files.

    Args:
        asked: Options of the run.
        watch: Called with the progress every second.

    Raises:
        PerfError: Of any kind but GateFailed; the verdict is in the result.
    """
    _prepare(asked.out)
    try:
        result = _measure(asked, watch)
    except KeyboardInterrupt:
        raise Inconclusive("Interrupted before anything was measured.") from None
    results.save(result, asked.out / RESULT_NAME)
    return result


def _measure(asked: Run, watch: Callable[[Progress], None]) -> Result:
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="choirbook-perf-")))
        url = asked.url or _start_own(asked.own, scratch, stack)
        plan = planner.make_plan(url, asked.protocol, asked.era, asked.scenario, asked.think_time_s)
        loaded = plan
        if asked.delay_ms:
            loaded = plans.moved(plan, stack.enter_context(delayed(plan.url, asked.delay_ms)))
        machine = environment()
        before = scrape(url)
        measured, is_partial = generator.generate(loaded, asked.shape, asked.out, scratch, watch)
        after = scrape(url)
    result = _result(asked, plan, machine, measured)
    return msgspec.structs.replace(
        result, is_partial=is_partial, server_before=before, server_after=after if before else {}
    )


def work(asked: Run, master_host: str) -> None:
    """Run as a worker for a master on another machine.

    Raises:
        PerfError: The server or the master cannot be reached.
    """
    assert asked.url is not None
    plan = planner.make_plan(asked.url, asked.protocol, asked.era, asked.scenario, asked.think_time_s)
    with tempfile.TemporaryDirectory(prefix="choirbook-perf-") as scratch:
        generator.work(plan, master_host, asked.shape, Path(scratch))


def _prepare(out: Path) -> None:
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


def _result(asked: Run, plan: Plan, machine: Environment, measured: Measured) -> Result:
    rows = gate.judge(
        measured.series, measured.duration_s, asked.thresholds, is_saturated=measured.is_saturated
    )
    return Result(
        started=datetime.fromtimestamp(measured.started_s, UTC).isoformat(timespec="seconds"),
        duration_s=measured.duration_s,
        label=asked.label,
        scenario=_scenario(asked, plan),
        target=_target(asked, plan),
        environment=machine,
        series=measured.series,
        timeline=measured.timeline,
        failures=measured.failures,
        server_before={},
        server_after={},
        verdict=rows,
    )


def _scenario(asked: Run, plan: Plan) -> dict[str, Any]:
    tasks = [
        {"name": task.name, "weight": task.weight, "resources": [each.address for each in task.operations]}
        for task in plan.tasks
    ]
    return {
        "name": plan.scenario,
        "users": asked.shape.users,
        "spawn_rate": asked.shape.spawn_rate,
        "run_time_s": asked.shape.run_time_s,
        "processes": asked.shape.processes,
        "think_time_s": list(plan.think_time_s),
        "inject_delay_ms": asked.delay_ms,
        "projects": list(plan.projects),
        "tasks": tasks,
    }


def _target(asked: Run, plan: Plan) -> Target:
    own = asked.own
    settings = {"workers": str(own.workers), "CACHE_TTL": f"{own.cache_ttl_s:g}"}
    if own.library is None:
        settings["library"] = "starter"
    # The address of a server started by the run is meaningless to later readers, and differs each time.
    path = urlsplit(plan.url).path
    return Target(
        url=plan.url if asked.url else f"http://127.0.0.1{path}",
        protocol=plan.protocol,
        era=plan.era,
        server=plan.server,
        started_here=asked.url is None,
        settings={} if asked.url else settings,
    )
