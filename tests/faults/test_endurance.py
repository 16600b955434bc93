"""Promise 17: what a server holds does not grow with what it has served."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.faults.conftest import NAMES, Serve
from tests.faults.documents import path_of
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.load import describe, loading
from tests.faults.processes import descriptors, memory_bytes, threads
from tests.faults.writing import replaced, writing
from tests.support.apps import serving
from tests.support.servers import wait_for
from tests.support.waiting import eventually

SECONDS = 1800.0 if IS_WHOLE else 12.0
WARM_S = 60.0 if IS_WHOLE else 3.0
PAUSE_S = SECONDS / 60
EDIT_EVERY_S = 0.2
MIB = 1024 * 1024


class Held(NamedTuple):
    """What a worker holds at one moment."""

    at_s: float
    descriptors: int
    threads: int
    memory_bytes: int


def look(pid: int) -> Held:
    return Held(time.monotonic(), descriptors(pid), threads(pid), memory_bytes(pid))


def watch(pid: int, samples: list[Held], end_s: float) -> bool:
    """Take a sample when one is due, and tell whether the time is over."""
    if not samples or time.monotonic() >= samples[-1].at_s + PAUSE_S:
        samples.append(look(pid))
    return time.monotonic() > end_s


def growth(samples: list[Held], part: Callable[[Held], int]) -> int:
    """Return by how much the least of the last third is over the most of the first: noise is not growth."""
    third = len(samples) // 3
    return max(0, min(map(part, samples[-third:])) - max(map(part, samples[:third])))


def slope_percent_per_hour(samples: list[Held]) -> float:
    """Return how fast memory grows, as a share of what it is on average."""
    memory = [each.memory_bytes for each in samples]
    line = statistics.linear_regression([each.at_s for each in samples], memory)
    return max(0.0, line.slope * 3600 / statistics.fmean(memory) * 100)


def test_load_leaves_nothing_behind(serve: Serve, root: Path, figures: Figures) -> None:
    samples: list[Held] = []
    with (
        serve() as server,
        loading(server.port, NAMES, rate_per_s=100) as kept_alive,
        loading(server.port, NAMES, rate_per_s=30, fresh=True) as fresh,
        writing(root, NAMES, replaced, EDIT_EVERY_S),
    ):
        (worker,) = server.workers()
        warm_s = time.monotonic() + WARM_S
        wait_for(lambda: time.monotonic() > warm_s, "it is warm", WARM_S + 10)
        wait_for(partial(watch, worker, samples, warm_s + SECONDS), "the load has run", SECONDS + 60)
        old, new = kept_alive.finish(), fresh.finish()

    fault = f"{SECONDS / 60:g} minutes of load, an edit each {EDIT_EVERY_S:g} s"
    failed = old.count() + new.count()
    why = f"{describe(old)}; {describe(new)}"
    figures.hold(17, fault, "failed reads", failed, "reads", at_most=0, why=why)
    figures.tell(17, fault, "verified reads", old.requests + new.requests, "reads")
    more_descriptors = growth(samples, lambda each: each.descriptors)
    figures.hold(17, fault, "descriptors, more than at first", more_descriptors, "descriptors", at_most=0)
    more_threads = growth(samples, lambda each: each.threads)
    figures.hold(17, fault, "threads, more than at first", more_threads, "threads", at_most=0)
    grown_mib = growth(samples, lambda each: each.memory_bytes) / MIB
    figures.hold(17, fault, "memory, more than at first", grown_mib, "MiB", at_most=4.0)
    if IS_WHOLE:
        figures.hold(17, fault, "slope of memory", slope_percent_per_hour(samples), "% an hour", at_most=1.0)


async def test_reads_and_edits_leave_no_task_behind(root: Path, figures: Figures) -> None:
    async with serving(root, watch=True, rescan_s=0.2, cache_ttl_s=0.05) as app:
        for name in NAMES:
            await app.get(path_of(name))
        before = len(asyncio.all_tasks())
        for number in range(300):
            await asyncio.gather(*(app.get(path_of(name)) for name in (*NAMES, f"invented-{number}")))
        # What records them comes a moment later.
        await eventually(lambda: len(asyncio.all_tasks()) <= before)
        more = len(asyncio.all_tasks()) - before

    figures.hold(17, "1,500 reads in a process", "tasks, more than before", max(0, more), "tasks", at_most=0)
