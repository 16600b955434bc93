"""Compare Carrel with its floor: CPU of the server per request, alternating in one run.

Absolute figures of a shared machine mean little; the ratio of two servers that took turns within
seconds holds. Prints a table, or JSON with every sample and the environment.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

from benchmarks import wrk
from benchmarks.processes import cpu_s, free_port, running

DOCUMENT_BYTES = 20_000
SERVER_CORE, LOAD_CORE = 0, 1
MODERN = "2026-07-28"
URI = "mcp://resources/files/doc.md"


class Case(NamedTuple):
    """One request, as the floor and as Carrel get it."""

    name: str
    method: str
    floor_path: str
    carrel_path: str
    headers: dict[str, str]
    body: str = ""


def _cases() -> list[Case]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    }
    posted = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    modern = {**posted, "MCP-Protocol-Version": MODERN, "Mcp-Method": "resources/read", "Mcp-Name": URI}
    handshake = {**posted, "MCP-Protocol-Version": "2025-11-25"}
    path = "/mcp/resources/files/doc.md"
    return [
        Case("GET raw", "GET", path, path, {"Accept": "text/*"}),
        Case("GET json", "GET", path, path, {}),
        Case(
            "resources/read modern", "POST", "/mcp", "/mcp", modern, _read_body({"uri": URI, "_meta": meta})
        ),
        Case("resources/read handshake", "POST", "/mcp", "/mcp", handshake, _read_body({"uri": URI})),
    ]


def _read_body(params: dict[str, Any]) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": params})


class Sample(NamedTuple):
    """One run against one server."""

    cpu_us: float
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    requests: int


@contextmanager
def servers(scratch: Path) -> Iterator[dict[str, tuple[str, int]]]:
    """Run both servers; yields base URL and process id of each."""
    library = scratch / "library"
    library.mkdir()
    line = "Every rule says when it applies, why, and shows the code that follows it.\n"
    (library / "doc.md").write_text("# A document\n\n" + line * (DOCUMENT_BYTES // len(line)))
    ports = {"floor": free_port(), "carrel": free_port()}
    floor = [sys.executable, "-m", "benchmarks.floor", "--port", str(ports["floor"])]
    floor += ["--document", str(library / "doc.md")]
    carrel = [sys.executable, "-m", "carrel", "serve", str(library), "--port", str(ports["carrel"])]
    with ExitStack() as stack:
        started = {}
        for name, command in (("floor", floor), ("carrel", carrel)):
            url = f"http://127.0.0.1:{ports[name]}"
            process = stack.enter_context(
                running(command, f"{url}/readyz", scratch / f"{name}.log", SERVER_CORE)
            )
            started[name] = (url, process.pid)
        yield started


def sample(case: Case, url: str, path: str, pid: int, options: argparse.Namespace, scratch: Path) -> Sample:
    """Run one case against one server."""
    shot = wrk.Shot(url + path, case.method, case.headers, case.body)
    _check(shot)
    before_s = cpu_s(pid)
    load = wrk.shoot(shot, options.seconds, options.connections, LOAD_CORE, scratch)
    spent_s = cpu_s(pid) - before_s
    return Sample(
        spent_s / load.requests * 1e6,
        load.requests / load.seconds,
        load.p50_ms,
        load.p99_ms,
        load.requests,
    )


def _check(shot: wrk.Shot) -> None:
    """See that the request gets a document; warms the cache as well."""
    request = Request(shot.url, shot.body.encode() or None, shot.headers, method=shot.method)
    for _ in range(2):
        with urlopen(request, timeout=5) as response:
            body = response.read()
    if len(body) < DOCUMENT_BYTES * 0.9:
        raise RuntimeError(f"{shot.url} sent {len(body)} bytes: {body[:200]!r}")


def environment() -> dict[str, Any]:
    """Return what a figure depends on."""
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("granian", "uvloop", "msgspec")},
        "commit": commit.stdout.strip(),
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run all cases, floor and Carrel alternating."""
    results = []
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        with servers(scratch) as started:
            for case in _cases():
                samples: dict[str, list[Sample]] = {"floor": [], "carrel": []}
                for round_ in range(options.rounds):
                    print(f"{case.name}: round {round_ + 1} of {options.rounds}", file=sys.stderr)
                    for name, path in (("floor", case.floor_path), ("carrel", case.carrel_path)):
                        url, pid = started[name]
                        samples[name].append(sample(case, url, path, pid, options, scratch))
                results.append(_summarise(case, samples))
    return {
        "environment": environment(),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "cases": results,
    }


def _summarise(case: Case, samples: dict[str, list[Sample]]) -> dict[str, Any]:
    ratios = [c.cpu_us / f.cpu_us for f, c in zip(samples["floor"], samples["carrel"], strict=True)]
    return {
        "case": case.name,
        "cpu_ratio": statistics.median(ratios),
        "cpu_ratios": ratios,
        "samples": {name: [each._asdict() for each in runs] for name, runs in samples.items()},
    }


def print_table(result: dict[str, Any]) -> None:
    """Print medians for a person."""
    print(
        f"{'case':<26}{'floor us':>10}{'carrel us':>11}{'ratio':>8}{'(range)':>14}{'req/s':>9}{'p99 ms':>8}"
    )
    for case in result["cases"]:
        median = {
            (name, key): statistics.median(run[key] for run in runs)
            for name, runs in case["samples"].items()
            for key in ("cpu_us", "requests_per_s", "p99_ms")
        }
        spread = f"({min(case['cpu_ratios']):.2f}-{max(case['cpu_ratios']):.2f})"
        print(
            f"{case['case']:<26}{median['floor', 'cpu_us']:>10.1f}{median['carrel', 'cpu_us']:>11.1f}"
            f"{case['cpu_ratio']:>8.2f}{spread:>14}"
            f"{median['carrel', 'requests_per_s']:>9.0f}{median['carrel', 'p99_ms']:>8.1f}"
        )


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="pairs a case (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="length of one run (default 3)")
    parser.add_argument("--connections", type=int, default=100, help="keep-alive connections (default 100)")
    parser.add_argument("--json", action="store_true", help="print every sample and the environment")
    options = parser.parse_args()
    if not wrk.is_installed():
        sys.exit("scripts/bench needs wrk. Install it with: apt-get install wrk")
    if (os.cpu_count() or 1) <= max(SERVER_CORE, LOAD_CORE):
        sys.exit("scripts/bench needs two cores: one for the server, one for the load.")
    result = measure(options)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        print_table(result)


if __name__ == "__main__":
    main()
