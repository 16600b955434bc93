"""Promises 7 and 15: a worker that is killed takes its requests in flight with it, and nothing else."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from functools import partial
from itertools import pairwise

from tests.faults.conftest import NAMES, Serve
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.load import Summary, describe, loading
from tests.faults.processes import exists
from tests.servers.metrics import metrics
from tests.support.servers import Server, wait_for

Counters = dict[tuple[str, str], float]

WORKERS = 2
KILLS = 8 if IS_WHOLE else 3
NOTICE_S = 0.1
"""For a client on a busy machine to be told that its connection ended."""


def kill(server: Server, pid: int) -> tuple[float, int]:
    """Kill a worker, and return when it was gone, and who took its place."""
    others = server.workers()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not exists(pid), "it is gone")
    gone_s = time.monotonic()
    (replacement,) = wait_for(
        lambda: [each for each in server.workers() if each not in others], "another came"
    )
    return gone_s, replacement


def counters(server: Server) -> Counters:
    """Return all that only ever grows, but for what the process that answers counts of itself."""
    with server.client(fresh=True) as client:
        return {
            (sample.name, str(sorted(sample.labels.items()))): sample.value
            for sample in metrics(client)
            if sample.name.endswith(("_total", "_count", "_bucket", "_sum"))
            and not sample.name.startswith(("process_", "python_"))
        }


def fallen(before: Counters, after: Counters) -> int:
    """Count those that are less than before, or gone."""
    return sum(after.get(key, -1.0) < value for key, value in before.items())


def is_past(moment_s: float) -> bool:
    return time.monotonic() > moment_s


def lost_after(summary: Summary, deaths_s: list[float]) -> int:
    """Count requests that failed though their worker was not killed while they were in flight."""
    return sum(
        not any(each.asked_s < gone_s + NOTICE_S and each.ended_s > gone_s - NOTICE_S for gone_s in deaths_s)
        for each in summary.failed
    )


def test_killed_worker_loses_only_what_is_in_flight(serve: Serve, figures: Figures) -> None:
    deaths_s: list[float] = []
    counted: list[Counters] = []
    with (
        serve(workers=WORKERS) as server,
        loading(server.port, NAMES, rate_per_s=150) as kept_alive,
        loading(server.port, NAMES, rate_per_s=50, fresh=True) as fresh,
    ):
        victim = server.workers()[0]
        for _ in range(KILLS):
            # The one that has just come is killed next: no death is an end.
            gone_s, victim = kill(server, victim)
            deaths_s.append(gone_s)
            counted.append(counters(server))
            wait_for(partial(is_past, time.monotonic() + 1.0), "the load went on")
        counted.append(counters(server))
        old, new = kept_alive.finish(), fresh.finish()

    fault = f"kill -9 of one of {WORKERS} workers"
    why = f"{describe(old)}; {describe(new)}"
    lost = old.count() + new.count()
    assert set(old.failures) | set(new.failures) <= {"lost", "cut"}, why
    figures.tell(7, fault, "workers killed, each soon after it came", KILLS, "workers")
    figures.tell(7, fault, f"requests lost in flight, of {old.requests + new.requests}", lost, "requests")
    not_in_flight = lost_after(old, deaths_s) + lost_after(new, deaths_s)
    figures.hold(
        7, fault, "requests lost that were not in flight", not_in_flight, "requests", at_most=0, why=why
    )
    waited_s = new.latency_ms["max"] / 1000
    figures.hold(7, fault, "longest wait of a new connection", waited_s, "s", at_most=2.0)
    figures.tell(15, fault, "counters watched", len(counted[0]), "counters")
    fell = sum(fallen(before, after) for before, after in pairwise(counted))
    figures.hold(15, fault, "counters that fell", fell, "counters", at_most=0)


def kill_all(server: Server) -> bool:
    """Kill the workers there are, and tell whether the server has ended."""
    for pid in server.workers():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return server.process.poll() is not None


def test_server_whose_workers_cannot_live_ends(serve: Serve) -> None:
    with serve() as server:
        wait_for(partial(kill_all, server), "the server gives up")

        assert server.process.wait() == 1
        assert "crash loop" in server.stderr
