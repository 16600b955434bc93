"""Process information about the workers from the system, on request. Blocking: run it on a thread."""

from __future__ import annotations

import os
import platform
import resource
from pathlib import Path
from typing import NamedTuple

from choirbook.observe.metrics import (
    MAX_FDS,
    OPEN_FDS,
    PYTHON,
    RESIDENT,
    RESPAWNS,
    START,
    VIRTUAL,
    WANTED_WORKERS,
    WORKERS,
)
from choirbook.observe.shared_metrics import SharedMetrics
from choirbook.runtime.exhaustion import is_exhaustion

_PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_START_FIELD = 19
"""Index of the start time in `/proc/PID/stat`, after the program's name, in ticks since boot (proc(5))."""


class Process(NamedTuple):
    """One process."""

    virtual_bytes: int
    resident_bytes: int
    open_fds: int
    max_fds: float
    start_s: float
    """Start, in seconds of Unix time."""


def look_at(pid: int) -> Process | None:
    """Return the system's data on a process; None if it is gone, or belongs to another user."""
    directory = _PROC / str(pid)
    try:
        virtual_pages, resident_pages, *_ = (directory / "statm").read_text().split()
        ticks = (directory / "stat").read_text().rpartition(")")[2].split()[_START_FIELD]
        open_fds = len(os.listdir(directory / "fd"))  # noqa: PTH208 - names are all that is wanted
        max_fds, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    except OSError:
        return None
    return Process(
        int(virtual_pages) * _PAGE_BYTES,
        int(resident_pages) * _PAGE_BYTES,
        open_fds,
        float("inf") if max_fds == resource.RLIM_INFINITY else max_fds,
        _booted_s() + int(ticks) / _TICKS_PER_S,
    )


def worker_counts(
    shared_metrics: SharedMetrics,
) -> dict[tuple[str, tuple[tuple[str, str], ...]], list[float]]:
    """Return the number of running and of configured workers, in the format of `series_totals`."""
    return {(WORKERS, ()): [len(shared_metrics.pids())], (WANTED_WORKERS, ()): [shared_metrics.workers]}


def figures(shared_metrics: SharedMetrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return the metrics of the workers' processes, by metric and labels.

    Args:
        shared_metrics: Metrics of the workers, with their process ids.
    """
    pids = shared_metrics.pids()
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {
        **{key: value for key, (value,) in worker_counts(shared_metrics).items()},
        (RESPAWNS, ()): shared_metrics.respawns(),
        (PYTHON, _interpreter()): 1,
    }
    if not _can_look():
        # The workers cannot be examined, but the lack of descriptors is known.
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return found | {(OPEN_FDS, ()): limit, (MAX_FDS, ()): limit}
    processes = [process for pid in pids if (process := look_at(pid)) is not None]
    if processes:
        found |= {
            (VIRTUAL, ()): sum(each.virtual_bytes for each in processes),
            (RESIDENT, ()): sum(each.resident_bytes for each in processes),
            (OPEN_FDS, ()): sum(each.open_fds for each in processes),
            (MAX_FDS, ()): min(each.max_fds for each in processes),
            (START, ()): min(each.start_s for each in processes),
        }
    return found


def _can_look() -> bool:
    try:
        os.close(os.open(_PROC, os.O_PATH))
    except OSError as error:
        return not is_exhaustion(error)
    return True


def _interpreter() -> tuple[tuple[str, str], ...]:
    major, minor, patchlevel = platform.python_version_tuple()
    return (
        ("implementation", platform.python_implementation()),
        ("major", major),
        ("minor", minor),
        ("patchlevel", patchlevel),
        ("version", platform.python_version()),
    )


def _booted_s() -> float:
    for line in (_PROC / "stat").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == "btime":
            return float(value)
    return 0.0
