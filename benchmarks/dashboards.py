"""Measure the cost of open dashboards: CPU of a server under a steady load, with none and with ten.

Two servers of the starter library take turns, so that the one without has no page that was open a moment ago.
The cost is the additional CPU time of the server's processes, as a share of one core. `--keep` stores the
result where docs/dashboard.md shows it, and updates that table. Prints a table, or JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks import gate
from benchmarks.pages import connected, open_browser, open_pages
from benchmarks.processes import cpu_s, free_port, running
from benchmarks.sampler import LOAD_CORE, SERVER_CORE, machine
from choirbook_perf.results import Environment
from choirbook_perf.runbook.markdown import table as markdown

CLOSED, OPEN = "closed", "open"
LIMIT = 0.02
"""Maximum share of one core that ten open dashboards may cost."""

URI = "mcp://resources/sdlc/core"
READ = "/mcp/resources/sdlc/core?format=raw"
KEPT_RATE = 0.98
"""Minimum fraction of the planned reads that must be sent: otherwise the load was not the same."""

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, RESULT = DOCS / "dashboard.md", DOCS / "dashboard" / "cost.json"
BEGIN = "<!-- Made by `task perf:dashboards -- --keep` of dashboard/cost.json: -->\n\n"
END = "\n<!-- Up to here. -->"


class Turn(msgspec.Struct, frozen=True):
    """One run of the load against one server."""

    cpu: float
    """CPU time of the server's processes, as a share of one core."""
    reads_per_s: float
    ticks: int
    """Number of updates sent to all pages together."""


class Result(msgspec.Struct, frozen=True):
    """All turns."""

    environment: Environment
    dashboards: int
    of_them_in_chromium: int
    workers: int
    reads_per_s: int
    seconds: int
    closed: list[Turn]
    open: list[Turn]

    @property
    def costs(self) -> list[float]:
        """Cost of the dashboards for each pair, as a share of one core; noise can make it negative."""
        return [opened.cpu - closed.cpu for closed, opened in zip(self.closed, self.open, strict=True)]


class Server(NamedTuple):
    """A running server."""

    port: int
    pid: int


def main() -> int:
    """Measure, and return the exit status."""
    options = _options()
    # The load and the pages must not use the server's core; a browser that is started inherits this.
    os.sched_setaffinity(0, {LOAD_CORE})
    result = measure(options)
    if options.keep:
        keep(result)
    print(json.dumps(msgspec.to_builtins(result), indent=2) if options.json else table(result))
    if options.max_cost is None:
        return gate.PASSED
    said, outcome = judge(result, options.max_cost)
    print(said, file=sys.stderr)
    return outcome


def measure(options: argparse.Namespace) -> Result:
    """Run the load against both servers in turns."""
    turns: dict[str, list[Turn]] = {CLOSED: [], OPEN: []}
    with tempfile.TemporaryDirectory() as directory, _servers(Path(directory), options.workers) as servers:
        for round_ in range(options.rounds):
            print(f"round {round_ + 1} of {options.rounds}", file=sys.stderr)
            # The order alternates too: warm-up and cool-down within a round then favour neither.
            for name in (CLOSED, OPEN) if round_ % 2 == 0 else (OPEN, CLOSED):
                pages = options.dashboards if name == OPEN else 0
                turns[name].append(asyncio.run(_turn(servers[name], pages, options)))
    return Result(
        machine(),
        options.dashboards,
        int(options.chromium),
        options.workers,
        options.rate,
        options.seconds,
        turns[CLOSED],
        turns[OPEN],
    )


def judge(result: Result, limit: float) -> tuple[str, int]:
    """Compare the cost with a limit.

    Args:
        result: Result of at least `gate.ROUNDS_NEEDED` rounds.
        limit: Allowed share of one core.

    Returns:
        The message, and the exit status.
    """
    (row,) = gate.judge({"dashboards": result.costs}, limit)
    found = f"{row.ratio:.1%} of a core, between {row.low:.1%} and {row.high:.1%} at 95 %"
    return f"Open dashboards cost {found}; {limit:.1%} is allowed.", row.outcome


def keep(result: Result) -> None:
    """Store a result in place of the previous one, and show it in the docs."""
    RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    PAGE.write_text(with_table(PAGE.read_text("utf-8"), result), "utf-8")


def kept() -> Result:
    """Return the stored result."""
    return msgspec.json.decode(RESULT.read_bytes(), type=Result)


def table(result: Result) -> str:
    """Format medians as text."""
    return "\n".join(f"{name:<58}{value:>24}" for name, value in _rows(result))


def with_table(page: str, result: Result) -> str:
    """Return the page of the docs with the result's table between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    seen = result.environment
    machine_ = f"{seen.cpu}, {seen.cores} cores, Linux {seen.kernel}, Python {seen.python}"
    told = f"{machine_}; {len(result.costs)} rounds of {result.seconds} s"
    made = markdown(["CPU of the server", "of one core"], [list(row) for row in _rows(result)], texts=1)
    return f"{before}{BEGIN}{made}\n\n({told}.)\n{END}{after}"


def _rows(result: Result) -> list[tuple[str, str]]:
    costs = result.costs
    load = f"{result.reads_per_s} reads a second, {result.workers} worker{'s' if result.workers > 1 else ''}"
    real = f", {result.of_them_in_chromium} of them in Chromium" if result.of_them_in_chromium else ""
    return [
        (f"no dashboard ({load})", f"{_median(result.closed):.2%}"),
        (f"{result.dashboards} open{real}", f"{_median(result.open):.2%}"),
        ("what they cost", f"{statistics.median(costs):.2%} ({min(costs):.2%} to {max(costs):.2%})"),
    ]


def _median(turns: Sequence[Turn]) -> float:
    return statistics.median(turn.cpu for turn in turns)


@contextmanager
def _servers(scratch: Path, workers: int) -> Iterator[Mapping[str, Server]]:
    with ExitStack() as stack:
        started = {}
        for name in (CLOSED, OPEN):
            port = free_port()
            command = [
                sys.executable,
                "-m",
                "choirbook",
                "serve",
                "--port",
                str(port),
                "--workers",
                str(workers),
            ]
            url, log = f"http://127.0.0.1:{port}/readyz", scratch / f"{name}.log"
            process = stack.enter_context(running(command, url, log, SERVER_CORE))
            started[name] = Server(port, process.pid)
        yield started


async def _turn(server: Server, pages: int, options: argparse.Namespace) -> Turn:
    async with AsyncExitStack() as stack:
        real = int(options.chromium and pages > 0)
        if real:
            await stack.enter_async_context(open_browser(server.port, URI))
        opened = await stack.enter_async_context(open_pages(server.port, URI, pages - real))
        await _read(server.port, options.rate, options.rate)  # a second of warm-up
        told = [page.ticks for page in opened]
        before_s, start_s = cpu_s(server.pid), time.monotonic()
        await _read(server.port, options.rate, options.rate * options.seconds)
        taken_s, spent_s = time.monotonic() - start_s, cpu_s(server.pid) - before_s
        ticks = [page.ticks - earlier for page, earlier in zip(opened, told, strict=True)]
    reads_per_s = options.rate * options.seconds / taken_s
    if reads_per_s < KEPT_RATE * options.rate:
        raise RuntimeError(
            f"{reads_per_s:.0f} reads a second were sent instead of {options.rate}: lower --rate"
        )
    if min(ticks, default=options.seconds) < options.seconds / 2:
        raise RuntimeError(f"the server sent its pages too few updates: {ticks} in {options.seconds} s")
    return Turn(spent_s / taken_s, reads_per_s, sum(ticks))


async def _read(port: int, rate: int, count: int) -> None:
    """Read a document at a fixed rate, over one connection."""
    async with connected(port) as connection:
        start_s = time.monotonic()
        for number in range(count):
            await asyncio.sleep(start_s + number / rate - time.monotonic())
            await connection.get(READ)
        await asyncio.sleep(start_s + count / rate - time.monotonic())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboards", description=__doc__)
    parser.add_argument("--dashboards", type=int, default=10, help="number of open dashboards (default 10)")
    parser.add_argument("--chromium", action="store_true", help="open one of them in a real Chromium")
    parser.add_argument("--rounds", type=int, default=6, help="pairs of turns (default 6)")
    parser.add_argument("--seconds", type=int, default=10, help="length of one turn (default 10)")
    parser.add_argument("--rate", type=int, default=300, help="reads per second (default 300)")
    parser.add_argument("--workers", type=int, default=1, help="workers of each server (default 1)")
    parser.add_argument("--json", action="store_true", help="print every turn and the environment")
    parser.add_argument(
        "--keep", action="store_true", help="keep the result, and show it in docs/dashboard.md"
    )
    parser.add_argument(
        "--max-cost",
        type=float,
        metavar="C",
        help=f"exit 1 if they cost more of a core than this, such as {LIMIT}, 3 if the rounds scatter too "
        "much to decide",
    )
    options = parser.parse_args()
    if min(options.dashboards, options.rounds, options.seconds, options.rate, options.workers) < 1:
        parser.error("--dashboards, --rounds, --seconds, --rate and --workers must be at least 1")
    if options.max_cost is not None and options.rounds < gate.ROUNDS_NEEDED:
        parser.error(f"--max-cost needs at least {gate.ROUNDS_NEEDED} rounds: fewer are inconclusive")
    return options


if __name__ == "__main__":
    sys.exit(main())
