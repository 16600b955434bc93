"""Cost of Redis and of a second worker for a hit: such deployments beside one worker alone, in turns.

`scripts/bench --deployment`. A hit does not use Redis, and workers share nothing that a hit writes to: these
figures show that this stays so.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks import gate
from benchmarks.processes import free_port, running
from benchmarks.requests import Case, plant
from benchmarks.sampler import SERVER_CORE, Load, check, machine, sample
from benchmarks.shared import redis_server
from choirbook_perf.peers import Sample

ALONE = "one worker"
REDIS = "one worker, with Redis"
WORKERS = "two workers"

LIMITS = {REDIS: 1.03, WORKERS: 1.05}
"""Maximum cost of a hit by deployment, relative to its cost with one worker alone."""


class Server(NamedTuple):
    """A running server."""

    url: str
    pid: int


def measure(cases: Sequence[Case], rounds: int, load_s: int, connections: int) -> dict[str, Any]:
    """Run the cases against all servers, in turns.

    Args:
        cases: Requests to send.
        rounds: Runs of each server and case.
        load_s: Duration of one run, in seconds.
        connections: Number of kept-alive connections.

    Raises:
        FileNotFoundError: Redis is not installed.
    """
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        with _servers(scratch) as (servers, document):
            load = Load(load_s, connections, scratch)
            results = [_compare(case, servers, document, rounds, load) for case in cases]
    return {
        "environment": msgspec.to_builtins(machine()),
        "rounds": rounds,
        "seconds": load_s,
        "connections": connections,
        "cases": results,
    }


def table(result: Mapping[str, Any]) -> str:
    """Format medians as text."""
    lines = [f"{'case':<26}{'deployed as':<26}{'req/s':>9}{'us':>8}{'ratio':>8}{'(range)':>16}{'at most':>9}"]
    for case in result["cases"]:
        for name, runs in case["samples"].items():
            rate, cost = (statistics.median(run[key] for run in runs) for key in ("requests_per_s", "cpu_us"))
            lines.append(f"{case['case']:<26}{name:<26}{rate:>9.0f}{cost:>8.1f}")
            if (ratios := case["ratios"].get(name)) is not None:
                spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
                lines[-1] += f"{statistics.median(ratios):>8.3f}{spread:>16}{LIMITS[name]:>9.2f}"
    return "\n".join(lines)


def judge(result: Mapping[str, Any]) -> tuple[str, int]:
    """Compare the costs with `LIMITS`.

    Args:
        result: Result of `measure`, of at least `gate.ROUNDS_NEEDED` rounds.

    Returns:
        The message, and the exit status.
    """
    rows, said = [], []
    for name, limit in LIMITS.items():
        ratios = {f"{case['case']}, {name}": case["ratios"][name] for case in result["cases"]}
        of_name = gate.judge(ratios, limit)
        rows += of_name
        said.append(f"{name}: {gate.told(of_name, limit)}")
    return "\n".join(said), gate.outcome_of(rows)


@contextmanager
def _servers(scratch: Path) -> Iterator[tuple[dict[str, Server], str]]:
    """Run all servers and a Redis; yields them and the document's text."""
    document = plant(scratch / "library")
    with ExitStack() as stack:
        redis_url = stack.enter_context(redis_server(scratch))
        options = {ALONE: (), REDIS: ("--redis", redis_url), WORKERS: ("--workers", "2")}
        started = {}
        for number, (name, chosen) in enumerate(options.items()):
            url = f"http://127.0.0.1:{(port := free_port())}"
            command = [sys.executable, "-m", "choirbook", "serve", str(document.parent), "--port", str(port)]
            log = scratch / f"server-{number}.log"
            process = stack.enter_context(running([*command, *chosen], f"{url}/readyz", log, SERVER_CORE))
            started[name] = Server(url, process.pid)
        yield started, document.read_text()


def _compare(
    case: Case, servers: Mapping[str, Server], document: str, rounds: int, load: Load
) -> dict[str, Any]:
    samples: dict[str, list[Sample]] = {name: [] for name in servers}
    for url, _ in servers.values():
        check(case, url, document)
    names = list(servers)
    for round_ in range(rounds):
        print(f"{case.name}: round {round_ + 1} of {rounds}", file=sys.stderr)
        # The order alternates: warm-up and cool-down within a round then favour neither.
        for name in names if round_ % 2 == 0 else reversed(names):
            url, pid = servers[name]
            samples[name].append(sample(case, url, pid, load))
    return {
        "case": case.name,
        "ratios": {name: _ratios(samples[ALONE], samples[name]) for name in LIMITS},
        "samples": {name: [each._asdict() for each in runs] for name, runs in samples.items()},
    }


def _ratios(alone: Sequence[Sample], other: Sequence[Sample]) -> list[float]:
    return [theirs.cpu_us / ours.cpu_us for ours, theirs in zip(alone, other, strict=True)]
