"""Results that look like real runs, made by a seeded generator: the same on every call."""

import math
import random

from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.results import Environment, Failure, Generator, Result, Row, Series, Target, Tick

RESOURCES = (
    ("sdlc", "sdlc/core", 3),
    ("pattern", "patterns/core", 2),
    ("template", "templates/prd-template", 1),
)
PROJECTS = ("project-1", "project-2", "project-10")
BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.010, 0.025, 0.050, 0.100, 0.200, 0.500, 1.000)


def sample_result(
    label: str = "baseline", *, factor: float = 1.0, seed: int = 7, failures: int = 0
) -> Result:
    """Make a result of 60 seconds whose latencies are `factor` times those of the default."""
    dice = random.Random(seed)  # noqa: S311 nothing secret
    before, after = server_samples(factor)
    return Result(
        started="2026-03-01T12:00:00Z",
        duration_s=60.0,
        label=label,
        scenario={"users": 30, "spawn_rate": 10, "think_time_s": [0.1, 0.5], "weights": {"sdlc/core": 3}},
        generator=Generator(users=30),
        target=Target(
            url="http://127.0.0.1:8000",
            protocol="http",
            era="",
            server="choirbook 0.1",
            started_here=True,
            settings={"workers": "1"},
        ),
        environment=sample_environment(),
        series=[
            _series(dice, resource, kind, project, factor, failures)
            for resource in RESOURCES
            for kind in ("hit", "miss")
            for project in PROJECTS
        ],
        timeline=[_tick(dice, second, factor, failures) for second in range(60)],
        failures=[Failure(name="sdlc/core", reason="503 <Busy> & gone", count=failures)] if failures else [],
        server_before=before,
        server_after=after,
        verdict=[
            Row(
                metric="p95",
                operator="<",
                limit=100,
                measured=2.5 * factor,
                low=2.4 * factor,
                high=2.7 * factor,
                unit="ms",
                requests=4_000,
                outcome="pass",
            ),
            Row(
                metric="miss.p95",
                operator="<",
                limit=5,
                measured=4.1 * factor,
                unit="ms",
                requests=90,
                outcome="pass" if factor < 1.2 else "fail",
                reason="" if factor < 1.2 else "Template misses are slow.",
            ),
            Row(
                metric="p99",
                operator="<",
                limit=200,
                measured=None,
                unit="ms",
                requests=3,
                outcome="inconclusive",
                reason="3 requests are too few for a p99.",
            ),
        ],
    )


def sample_environment() -> Environment:
    return Environment(
        machine="0123456789ab",
        cpu="An example CPU at 3 GHz",
        cores=2,
        memory_bytes=8 * 2**30,
        kernel="6.1.0",
        python="3.11.2",
        versions={"granian": "2.8.7", "locust": "2.47.0"},
        commit="0123456789ab",
        load_average=0.4,
    )


def _series(
    dice: random.Random, resource: tuple[str, str, int], kind: str, project: str, factor: float, failures: int
) -> Series:
    type_, name, weight = resource
    latencies = LatencyHistogram()
    for _ in range(400 * weight if kind == "hit" else 10 * weight):
        latencies.record(dice.lognormvariate(math.log(0.0011 if kind == "hit" else 0.003), 0.35) * factor)
    failed = failures if (name, kind, project) == ("sdlc/core", "miss", "project-1") else 0
    for _ in range(failed):
        latencies.record(0.002 * factor)
    return Series(
        resource_type=type_,
        cache_result=kind,
        project=project,
        name=name,
        counts=latencies.counts(),
        failures=failed,
    )


def _tick(dice: random.Random, second: int, factor: float, failures: int) -> Tick:
    users = min(30, 10 * (second + 1))
    silent = second == 31
    return Tick(
        second=second,
        users=users,
        requests=0 if silent else round(users * dice.uniform(3.0, 3.6)),
        failures=failures if second == 40 else 0,
        p50_ms=None if silent else dice.uniform(1.0, 1.2) * factor,
        p95_ms=None if silent else dice.uniform(2.0, 2.8) * factor,
        p99_ms=None if silent else dice.uniform(3.0, 9.0) * factor,
    )


def server_samples(factor: float) -> tuple[dict[str, float], dict[str, float]]:
    """Make what `/metrics` has before and after: 100 reads of each kind, all under a millisecond."""
    before, after = {}, {}
    for type_, _, _ in RESOURCES:
        for kind in ("hit", "miss"):
            for bound in (*BUCKETS_S, math.inf):
                le = "+Inf" if bound == math.inf else repr(bound)
                labels = f'cache_result="{kind}",le="{le}",resource_type="{type_}"'
                key = f"mcp_resource_loading_latency_seconds_bucket{{{labels}}}"
                before[key] = 5.0
                after[key] = 5.0 + (100.0 if bound >= 0.0005 * factor else 0.0)
    return before, after
