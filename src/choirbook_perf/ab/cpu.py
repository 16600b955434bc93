"""Processor time of a tree of processes: user and system time, to the nanosecond where the kernel tells."""

from __future__ import annotations

import time
from pathlib import Path

_SETTLE_S = 1.0
_PAUSE_S = 0.02
_IDLE_S = 0.002
"""Processor time within a pause that still counts as idle."""


def family(pid: int) -> list[int]:
    """Return the ids of a process and its descendants."""
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            found += [int(child) for child in _text(task).split()]
    return found


def cpu_s(pids: list[int]) -> float | None:
    """Return the processor time of processes, user and system, in seconds; None if one of them has ended.

    /proc/PID/stat counts the same in hundredths of a second: too coarse for a slice of seconds at a low rate.
    The clock of a process (clock_getcpuclockid of POSIX) is what the kernel rounds these from.
    """
    try:
        return sum(time.clock_gettime(_clock_of(pid)) for pid in pids)
    except OSError:
        return None


def settle(pids: list[int]) -> None:
    """Wait until processes are idle: leftover requests must not be processed in another's turn."""
    deadline_s = time.monotonic() + _SETTLE_S
    before_s = cpu_s(pids)
    while time.monotonic() < deadline_s:
        time.sleep(_PAUSE_S)
        now_s = cpu_s(pids)
        if now_s is None or before_s is None or now_s - before_s < _IDLE_S:
            return
        before_s = now_s


def _clock_of(pid: int) -> int:
    # As glibc's clock_getcpuclockid: MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) of the kernel's posix-timers.
    return ~pid << 3 | 2


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""  # the thread has just ended
