"""Cost of observation: Choirbook with metrics, log and unsampled tracing beside one without, in turns.

`scripts/bench --observation`. If the extra for tracing is not installed, or the server has no tracing, only
metrics and log are measured; the output states which.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import gate
from benchmarks.processes import free_port, running
from benchmarks.requests import Case, plant
from benchmarks.sampler import SERVER_CORE, Load, check, machine, sample
from choirbook_perf.peers import Sample

OFF, ON = "off", "on"

_UNOBSERVED = {"CHOIRBOOK_METRICS": "off", "CHOIRBOOK_ACCESS_LOG": "off", "OTEL_SDK_DISABLED": "true"}
# No request is sampled, so nothing is sent: the address need not exist.
_OBSERVED = {
    "CHOIRBOOK_METRICS": "on",
    "CHOIRBOOK_ACCESS_LOG": "on",
    "OTEL_SDK_DISABLED": "false",
    "OTEL_TRACES_SAMPLER": "always_off",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
}
VARIABLES: dict[str, Mapping[str, str]] = {OFF: _UNOBSERVED, ON: _OBSERVED}


def observed() -> list[str]:
    """Return what is enabled in the observed server."""
    traces = find_spec("choirbook.observe.tracing") is not None and find_spec("opentelemetry.sdk") is not None
    return ["metrics", "log", *(["unsampled tracing"] if traces else [])]


def measure(cases: Sequence[Case], rounds: int, load_s: int, connections: int) -> dict[str, Any]:
    """Run the cases, unobserved and observed alternating.

    Args:
        cases: Requests to send.
        rounds: Pairs of runs for each case.
        load_s: Duration of one run, in seconds.
        connections: Number of kept-alive connections.
    """
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        with _servers(scratch) as started:
            load = Load(load_s, connections, scratch)
            results = [_compare(case, started, rounds, load) for case in cases]
    return {
        "environment": msgspec.to_builtins(machine()),
        "observed": observed(),
        "rounds": rounds,
        "seconds": load_s,
        "cases": results,
    }


def table(result: Mapping[str, Any]) -> str:
    """Format medians as text."""
    heads = (
        f"{'case':<26}{'off req/s':>11}{'on req/s':>10}{'off us':>8}{'on us':>8}",
        f"{'cost':>8}{'(range)':>17}",
    )
    lines = [f"Off, and with {', '.join(result['observed'])}:", "".join(heads)]
    for case in result["cases"]:
        median = {
            (name, key): statistics.median(run[key] for run in runs)
            for name, runs in case["samples"].items()
            for key in ("cpu_us", "requests_per_s")
        }
        spread = f"({min(case['costs']):.1%} to {max(case['costs']):.1%})"
        lines.append(
            f"{case['case']:<26}{median[OFF, 'requests_per_s']:>11.0f}{median[ON, 'requests_per_s']:>10.0f}"
            f"{median[OFF, 'cpu_us']:>8.1f}{median[ON, 'cpu_us']:>8.1f}"
            f"{statistics.median(case['costs']):>8.1%}{spread:>17}"
        )
    return "\n".join(lines)


def judge(result: Mapping[str, Any], limit: float) -> tuple[str, int]:
    """Compare the share of throughput that observation costs with a limit.

    Args:
        result: Result of `measure`, of at least `gate.ROUNDS_NEEDED` rounds.
        limit: Maximum share.

    Returns:
        The message, and the exit status.
    """
    rows = gate.judge({case["case"]: case["costs"] for case in result["cases"]}, limit)
    failed = [_told(row, limit) for row in rows if row.outcome != gate.PASSED]
    return "\n".join(failed or [f"Observation costs at most {limit:.0%} of throughput."]), gate.outcome_of(
        rows
    )


def cost(off: Sample, on: Sample) -> float:
    """Return the share of throughput that observation costs; noise can make it negative.

    It is the share for a server with a full core, which answers as many requests per second as their CPU time
    allows. Requests per second of a run depend on other load on the machine: they are shown beside it.
    """
    return 1 - off.cpu_us / on.cpu_us


@contextmanager
def _servers(scratch: Path) -> Iterator[dict[str, tuple[str, int, str]]]:
    """Run both servers; yields base URL and process id of each, and the document."""
    document = plant(scratch / "library")
    with ExitStack() as stack:
        started = {}
        for name, variables in VARIABLES.items():
            url = f"http://127.0.0.1:{(port := free_port())}"
            command = [sys.executable, "-m", "choirbook", "serve", str(document.parent), "--port", str(port)]
            log = scratch / f"{name}.log"
            process = stack.enter_context(running(command, f"{url}/readyz", log, SERVER_CORE, variables))
            started[name] = (url, process.pid, document.read_text())
        yield started


def _compare(
    case: Case, started: Mapping[str, tuple[str, int, str]], rounds: int, load: Load
) -> dict[str, Any]:
    samples: dict[str, list[Sample]] = {name: [] for name in started}
    for url, _, document in started.values():
        check(case, url, document)
    for round_ in range(rounds):
        print(f"{case.name}: round {round_ + 1} of {rounds}", file=sys.stderr)
        # The order alternates too: warm-up and cool-down within a round then favour neither.
        for name in (OFF, ON) if round_ % 2 == 0 else (ON, OFF):
            url, pid, _ = started[name]
            samples[name].append(sample(case, url, pid, load))
    pairs = list(zip(samples[OFF], samples[ON], strict=True))
    return {
        "case": case.name,
        "costs": [cost(off, on) for off, on in pairs],
        "samples": {name: [each._asdict() for each in runs] for name, runs in samples.items()},
    }


def _told(row: gate.Row, limit: float) -> str:
    found = f"{row.case}: {row.ratio:.1%} of throughput, between {row.low:.1%} and {row.high:.1%} at 95 %"
    if row.outcome == gate.FAILED:
        return f"{found}, where {limit:.0%} is allowed. Find where the time goes with: choirbook perf profile"
    return (
        f"{found}: too noisy to decide whether it is within {limit:.0%}. Run more rounds, or on a quieter "
        "machine."
    )
