"""One run of `choirbook perf ab`: both servers, round by round, and the result file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from choirbook_perf import planner
from choirbook_perf.ab import alike, judging, schedule
from choirbook_perf.ab.results import AbResult, ComparedServer, Slice
from choirbook_perf.ab.schedule import NEW, OLD
from choirbook_perf.ab.slices import measure, rate_for
from choirbook_perf.ab.subjects import PORT, Launcher, Server, prepared, serving
from choirbook_perf.access import Access
from choirbook_perf.cores import Cores, divided
from choirbook_perf.environment import environment
from choirbook_perf.errors import Inconclusive
from choirbook_perf.own_server import starter_library
from choirbook_perf.plan import Plan
from choirbook_perf.scenario import Scenario
from choirbook_perf.stats.decisions import Limits


class Asked(NamedTuple):
    """Options of a comparison."""

    old: str
    new: str
    rounds: int
    pairs: int
    """Counted pairs of a round."""
    rate: float
    """Requests per second; 0 for one that suits the old server."""
    seconds: float
    """Length of a slice."""
    protocol: str
    era: str
    scenario: Scenario | None
    library: Path | None
    """Library of a Choirbook that is started; None for the starter library of this installation."""
    workers: int
    limits: Limits
    seed: int
    metrics: tuple[str, ...]
    """Metrics to judge, see `judging`."""
    access: Access | None = None


class _Course:
    """Rounds of a comparison, and what is known once they began.

    Args:
        asked: Options of the comparison.
        launchers: The old server, and the new one.
        scratch: Directory for logs.
        cores: Cores of the servers and of the load.
    """

    def __init__(self, asked: Asked, launchers: Sequence[Launcher], scratch: Path, cores: Cores) -> None:
        self.launchers = launchers
        self.plans: list[Plan] = []
        """Plans of both servers in the first round."""
        self.rate = asked.rate
        self._asked = asked
        self._scratch = scratch
        self._cores = cores

    def slices(self) -> Iterator[Slice]:
        """Run the rounds, each with servers of its own."""
        for round_ in range(self._asked.rounds):
            with ExitStack() as stack:
                servers: dict[int, Server] = {}
                for side in schedule.starts(round_, self._asked.seed):
                    log = self._scratch / f"server-{side}.log"
                    running = serving(self.launchers[side], log, self._cores.servers)
                    servers[side] = stack.enter_context(running)
                yield from self._round(round_, [servers[OLD], servers[NEW]])

    def _round(self, round_: int, servers: Sequence[Server]) -> Iterator[Slice]:
        asked = self._asked
        plans = [
            planner.make_plan(
                server.url, asked.protocol, asked.era, asked.scenario, think_time_s=(), access=asked.access
            )
            for server in servers
        ]
        if not self.plans:
            alike.check(*plans)
            self.plans = plans
            self.rate = asked.rate or rate_for(plans[OLD])
        for turn in schedule.turns(round_, asked.pairs, asked.seed):
            seed = asked.seed + turn.round * (asked.pairs + 1) + turn.pair
            plan, pid = plans[turn.side], servers[turn.side].pid
            yield measure(turn, plan, pid, self.rate, asked.seconds, seed)


def run(asked: Asked, watch: Callable[[Slice], None]) -> AbResult:
    """Compare two servers.

    Args:
        asked: Options of the comparison.
        watch: Called with each slice.

    Raises:
        PerfError: Of any kind but GateFailed; the outcomes are in the result.
    """
    began = datetime.now(UTC)
    machine = environment()
    slices: list[Slice] = []
    is_partial = False
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="choirbook-perf-")))
        cores = stack.enter_context(divided())
        launchers = [
            stack.enter_context(prepared(given, flag, _serve(asked), _made(scratch / flag.lstrip("-"))))
            for given, flag in ((asked.old, "--old"), (asked.new, "--new"))
        ]
        course = _Course(asked, launchers, scratch, cores)
        try:
            for each in course.slices():
                slices.append(each)
                watch(each)
        except KeyboardInterrupt:
            is_partial = True
    if not slices:
        raise Inconclusive("Interrupted before anything was measured.")
    judged = judging.judge(slices, asked.limits, asked.metrics)
    return AbResult(
        started=began.isoformat(timespec="seconds"),
        is_partial=is_partial,
        subjects=[
            ComparedServer(given=one.given, name=one.name, environment=one.environment, server=plan.server)
            for one, plan in zip(launchers, course.plans, strict=True)
        ],
        environment=machine,
        load=_load(asked, course.plans[OLD], course.rate),
        seed=asked.seed,
        slices=slices,
        findings=judged.findings,
        skipped=judged.skipped,
    )


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _serve(asked: Asked) -> list[str]:
    library = asked.library or starter_library()
    return ["serve", str(library.resolve()), "--port", PORT, "--workers", str(asked.workers)]


def _load(asked: Asked, plan: Plan, rate: float) -> dict[str, Any]:
    tasks = [
        {"name": task.name, "weight": task.weight, "resources": [each.address for each in task.operations]}
        for task in plan.tasks
    ]
    return {
        "protocol": plan.protocol,
        "era": plan.era,
        "scenario": plan.scenario,
        "tasks": tasks,
        "workers": asked.workers,
        "seconds": asked.seconds,
        "rate": rate,
        "rounds": asked.rounds,
        "pairs": asked.pairs,
        "band": asked.limits.band,
        "margin": asked.limits.margin,
    }
