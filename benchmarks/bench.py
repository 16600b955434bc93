"""Compare Choirbook with its floor: CPU of the server per request, alternating in one run.

Absolute figures of a shared machine mean little; the ratio of two servers that took turns within seconds is
stable. Prints a table, or JSON with every sample and the environment.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import deployment, gate, observation
from benchmarks.processes import free_port, running
from benchmarks.requests import Case, get_json, get_raw, plant, read_handshake, read_modern
from benchmarks.sampler import SERVER_CORE, Load, check, machine, missing, sample
from choirbook_perf.peers import Sample

CASES = {case.name: case for case in (get_raw(), get_json(), read_modern(), read_handshake())}


@contextmanager
def servers(scratch: Path) -> Iterator[dict[str, tuple[str, int]]]:
    """Run both servers; yields base URL and process id of each."""
    document = plant(scratch / "library")
    ports = {"floor": free_port(), "choirbook": free_port()}
    floor = [sys.executable, "-m", "benchmarks.floor", "--port", str(ports["floor"])]
    floor += ["--document", str(document)]
    choirbook = [
        sys.executable,
        "-m",
        "choirbook",
        "serve",
        str(document.parent),
        "--port",
        str(ports["choirbook"]),
    ]
    with ExitStack() as stack:
        started = {}
        for name, command in (("floor", floor), ("choirbook", choirbook)):
            url = f"http://127.0.0.1:{ports[name]}"
            process = stack.enter_context(
                running(command, f"{url}/readyz", scratch / f"{name}.log", SERVER_CORE)
            )
            started[name] = (url, process.pid)
        yield started


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run the cases, floor and Choirbook alternating."""
    results = []
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        with servers(scratch) as started:
            document = (scratch / "library" / "doc.md").read_text()
            load = Load(options.seconds, options.connections, scratch)
            for case in (CASES[name] for name in options.case or CASES):
                samples: dict[str, list[Sample]] = {name: [] for name in started}
                for url, _ in started.values():
                    check(case, url, document)
                for round_ in range(options.rounds):
                    print(f"{case.name}: round {round_ + 1} of {options.rounds}", file=sys.stderr)
                    for name, (url, pid) in started.items():
                        samples[name].append(sample(case, url, pid, load))
                results.append(_summarise(case, samples))
    return {
        "environment": msgspec.to_builtins(machine()),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "cases": results,
    }


def _summarise(case: Case, samples: dict[str, list[Sample]]) -> dict[str, Any]:
    ratios = [c.cpu_us / f.cpu_us for f, c in zip(samples["floor"], samples["choirbook"], strict=True)]
    return {
        "case": case.name,
        "cpu_ratio": statistics.median(ratios),
        "cpu_ratios": ratios,
        "samples": {name: [each._asdict() for each in runs] for name, runs in samples.items()},
    }


def print_table(result: dict[str, Any]) -> None:
    """Print medians as text."""
    print(
        f"{'case':<26}{'floor us':>10}{'choirbook us':>14}"
        f"{'ratio':>8}{'(range)':>14}{'req/s':>9}{'p99 ms':>8}"
    )
    for case in result["cases"]:
        median = {
            (name, key): statistics.median(run[key] for run in runs)
            for name, runs in case["samples"].items()
            for key in ("cpu_us", "requests_per_s", "p99_ms")
        }
        spread = f"({min(case['cpu_ratios']):.2f}-{max(case['cpu_ratios']):.2f})"
        print(
            f"{case['case']:<26}{median['floor', 'cpu_us']:>10.1f}{median['choirbook', 'cpu_us']:>14.1f}"
            f"{case['cpu_ratio']:>8.2f}{spread:>14}"
            f"{median['choirbook', 'requests_per_s']:>9.0f}{median['choirbook', 'p99_ms']:>8.1f}"
        )


def main() -> int:
    """Run the comparison, and return the exit status."""
    options = _options()
    if lacking := missing():
        sys.exit(f"scripts/bench cannot measure: {lacking}")
    if options.observation:
        return _observe(options)
    if options.deployment:
        return _deploy(options)
    result = measure(options)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        print_table(result)
    if options.max_ratio is None:
        return 0
    rows = gate.judge({case["case"]: case["cpu_ratios"] for case in result["cases"]}, options.max_ratio)
    print(gate.told(rows, options.max_ratio), file=sys.stderr)
    return gate.outcome_of(rows)


def _observe(options: argparse.Namespace) -> int:
    cases = [CASES[name] for name in options.case or CASES]
    result = observation.measure(cases, options.rounds, options.seconds, options.connections)
    print(json.dumps(result, indent=2) if options.json else observation.table(result))
    if options.max_cost is None:
        return 0
    said, outcome = observation.judge(result, options.max_cost)
    print(said, file=sys.stderr)
    return outcome


def _deploy(options: argparse.Namespace) -> int:
    cases = [CASES[name] for name in options.case or CASES]
    result = deployment.measure(cases, options.rounds, options.seconds, options.connections)
    print(json.dumps(result, indent=1) if options.json else deployment.table(result))
    if options.rounds < gate.ROUNDS_NEEDED:
        return 0
    said, outcome = deployment.judge(result)
    print(said, file=sys.stderr)
    return outcome


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--case", action="append", choices=CASES, help="run only this case; may be repeated")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of runs per case (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="length of one run (default 3)")
    parser.add_argument("--connections", type=int, default=100, help="keep-alive connections (default 100)")
    parser.add_argument("--json", action="store_true", help="print every sample and the environment")
    parser.add_argument(
        "--max-ratio",
        type=float,
        metavar="R",
        help="exit 1 if a case costs over R times its floor, 3 if the rounds scatter too much to decide",
    )
    parser.add_argument(
        "--observation",
        action="store_true",
        help="compare Choirbook with and without observation, instead of with the floor",
    )
    parser.add_argument(
        "--max-cost",
        type=float,
        metavar="C",
        help="with --observation: exit 1 if it takes more than this share of throughput, such as 0.10, 3 if "
        "the rounds scatter too much to decide",
    )
    parser.add_argument(
        "--deployment",
        action="store_true",
        help="compare one worker with one that has Redis, and with two, instead of with the floor; with "
        f"{gate.ROUNDS_NEEDED} rounds or more, exit like --max-ratio",
    )
    options = parser.parse_args()
    if options.deployment and (options.observation or options.max_ratio is not None):
        parser.error("--deployment has its own limits: omit the other comparisons")
    if options.max_cost is not None and not options.observation:
        parser.error("--max-cost applies to observation: add --observation")
    if options.max_ratio is not None and options.observation:
        parser.error("--max-ratio compares with the floor: omit --observation")
    for flag, limit in (("--max-ratio", options.max_ratio), ("--max-cost", options.max_cost)):
        if limit is not None and options.rounds < gate.ROUNDS_NEEDED:
            parser.error(f"{flag} needs at least {gate.ROUNDS_NEEDED} rounds: fewer are inconclusive")
    return options


if __name__ == "__main__":
    sys.exit(main())
