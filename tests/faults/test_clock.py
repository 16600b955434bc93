"""Promise 14: a wall clock that jumps by a day changes nothing."""

from __future__ import annotations

import json
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.faults.conftest import NAMES, Serve
from tests.faults.documents import compose, path_of
from tests.faults.figures import Figures
from tests.faults.load import describe, loading
from tests.faults.processes import need
from tests.servers.metrics import metrics, total
from tests.support import trees
from tests.support.servers import Server, wait_for

DAY_S = 24 * 3600
MISSES = "mcp_resource_cache_misses_total"


class Clock:
    """The wall clock of a server, which a library put before the C library's turns; other clocks stay.

    `libfaketime` would wrap locks and sleeps too, and read a file at each look at the clock: a server under
    load then stands still for seconds, by nobody's fault.
    """

    def __init__(self, directory: Path) -> None:
        self._library = directory / "wall_clock.so"
        self._ahead = directory / "ahead"
        source = Path(__file__).with_name("wall_clock.c")
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", self._library, source], check=True)
        self.jump(0)

    def jump(self, days: int) -> None:
        # In place: the server has the file mapped.
        with self._ahead.open("r+b" if self._ahead.exists() else "wb") as file:
            file.write(struct.pack("q", days * DAY_S))

    def variables(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "WALL_CLOCK_AHEAD": str(self._ahead)}


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    need("gcc")
    return Clock(tmp_path)


@contextmanager
def served(serve: Serve, clock: Clock, **variables: str) -> Iterator[tuple[Server, httpx.Client]]:
    with serve(**clock.variables(), **variables) as server, server.client() as client:
        yield server, client


def has_jumped(server: Server, days: int) -> bool:
    """Tell whether the server's own lines are of that day."""
    lines = [line for line in server.stderr.splitlines() if line.endswith("}")]
    off_s = json.loads(lines[-1])["ts"] - time.time() if lines else 0.0
    return bool(abs(off_s - days * DAY_S) < DAY_S / 2)


def misses(client: httpx.Client) -> float:
    return total(metrics(client), MISSES)


def misses_are_over(client: httpx.Client, before: float) -> bool:
    return misses(client) > before


def shows(client: httpx.Client, version: int) -> bool:
    return f"version: {version}\n" in client.get(path_of("ash")).json()["content"]


JUMPS = [1, -1, 0]


def test_jump_expires_nothing_and_fails_nothing(serve: Serve, clock: Clock, figures: Figures) -> None:
    with served(serve, clock) as (server, client), loading(server.port, NAMES, rate_per_s=150) as load:
        wait_for(partial(misses_are_over, client, 4 * len(NAMES) - 1), "every form is in memory")
        before = misses(client)
        edits_s = []
        for version, days in enumerate(JUMPS, start=2):
            clock.jump(days)
            wait_for(partial(has_jumped, server, days), "the clock jumped")
            loaded = misses(client) - before
            figures.hold(14, f"clock at {days:+d} days", "entries that expired", loaded, "entries", at_most=0)
            trees.replace(server.directory.parent / "library" / "ash.md", compose("ash", version))
            begun_s = time.monotonic()
            wait_for(partial(shows, client, version), "the edit shows")
            edits_s.append(time.monotonic() - begun_s)
            # One for each form of the edited document.
            wait_for(partial(misses_are_over, client, before + 3), "every form is in memory again")
            before = misses(client)
        summary = load.finish()

    fault = "clock a day ahead, then one behind, then right"
    figures.hold(14, fault, "failed reads", summary.count(), "reads", at_most=0, why=describe(summary))
    figures.hold(14, fault, "until an edit showed", max(edits_s), "s", at_most=1.0)


def test_jump_makes_no_entry_immortal(serve: Serve, clock: Clock, figures: Figures) -> None:
    with served(serve, clock, CACHE_TTL="1", CHOIRBOOK_CACHE_GRACE_S="0") as (server, client):
        client.get(path_of("ash"))
        clock.jump(-1)
        begun_s = time.monotonic()
        before = misses(client)

        def is_loaded_again() -> bool:
            client.get(path_of("ash"))
            return misses(client) > before

        wait_for(is_loaded_again, "it is loaded again")
        taken_s = time.monotonic() - begun_s
        assert has_jumped(server, -1)

    fault = "clock a day behind, time to live 1 s"
    figures.hold(14, fault, "until an entry was loaded again", taken_s, "s", at_most=2.0)
