"""The mission's hit rate, from a cold start: ten projects of ten operations, two workers, Redis."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import pytest
import yaml

from choirbook_perf.own_server import starter_library
from choirbook_perf.scenario import MISSION
from tests.servers.metrics import Sample, metrics, total
from tests.support.redis import RedisServer
from tests.support.servers import REPOSITORY, Server, rsgi_command, running, wait_for

WORKERS = 2
OPERATIONS = 10
"""Number of resources that each project reads, in the mission's proportions."""
PROMISED_RATE = 0.7
RULE = "job:mcp_resource_cache_hits:ratio_rate5m"
"""Rule that dashboards and alerts query; computed here from the same counters, from their start."""
HITS, MISSES = "mcp_resource_cache_hits_total", "mcp_resource_cache_misses_total"


@pytest.fixture
def cold_server(tmp_path: Path, redis_server: RedisServer) -> Iterator[Server]:
    options = ("--workers", str(WORKERS), "--redis", redis_server.url)
    with running(rsgi_command(starter_library(), *options), tmp_path / "run") as server:
        wait_for(lambda: len(server.workers()) == WORKERS, "all workers run")
        yield server


def operations(project: int) -> list[str]:
    """Return what one project reads: tasks as often as they weigh, each project from another place on."""
    names = [
        task.resources[project % len(task.resources)] for task in MISSION.tasks for _ in range(task.weight)
    ]
    return list(islice(cycle(names), project, project + OPERATIONS))


def work(server: Server, project: int) -> None:
    with server.client() as client:
        for name in operations(project):
            client.get(f"/mcp/resources/{name}").raise_for_status()


def hit_rate(samples: list[Sample]) -> float:
    hits, misses = total(samples, HITS), total(samples, MISSES)
    return hits / (hits + misses)


def all_counted(server: Server, reads: int) -> list[Sample] | None:
    """Return the samples once every read is among them: a worker records its own a moment later."""
    with server.client() as client:
        samples = metrics(client)
    return samples if total(samples, HITS) + total(samples, MISSES) == reads else None


def test_rule_is_made_of_the_counters_that_are_added_up_here() -> None:
    document = yaml.safe_load(
        (REPOSITORY / "deploy" / "prometheus" / "choirbook.rules.yml").read_text("utf-8")
    )
    (expression,) = [
        rule["expr"] for group in document["groups"] for rule in group["rules"] if rule["record"] == RULE
    ]
    hits, misses = (f"sum by (job) (rate({name}[5m]))" for name in (HITS, MISSES))
    assert expression.split() == f"{hits} / ( {hits} + {misses} > 0 )".split()


def test_mission_s_hit_rate_is_reached_from_a_cold_start(cold_server: Server) -> None:
    projects = range(len(MISSION.projects))
    assert all_counted(cold_server, 0), "nothing was read before"
    with ThreadPoolExecutor(len(projects)) as pool:
        list(pool.map(lambda project: work(cold_server, project), projects))

    reads = len(projects) * OPERATIONS
    assert reads == 100
    samples = wait_for(lambda: all_counted(cold_server, reads), "all reads are counted")
    assert total(samples, MISSES) >= len({name for each in projects for name in operations(each)})
    assert hit_rate(samples) > PROMISED_RATE
