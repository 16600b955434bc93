"""CPU time of a process and its descendants, from `/proc`. Blocking, Linux only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_NS = 1e-9
# Fields of /proc/PID/stat behind the name of the program, see proc(5).
_PARENT, _USER, _SYSTEM = 1, 11, 12


class CpuTime(NamedTuple):
    """CPU time, in seconds."""

    user_s: float = 0.0
    system_s: float = 0.0
    waited_s: float = 0.0
    """Time in which threads could run, but waited for a core."""

    @property
    def total_s(self) -> float:
        """User and system time."""
        return self.user_s + self.system_s

    @property
    def runnable_s(self) -> float:
        """Time in which threads ran, or could have run."""
        return self.total_s + self.waited_s


Snapshot = Mapping[int, CpuTime]
"""CPU time by process id."""


def processes_of(pid: int) -> list[int]:
    """Return a process and its descendants; empty if there is no such process."""
    parents = {each: int(fields[_PARENT]) for each in _pids() if (fields := _stat(each))}
    found = {pid} & parents.keys()
    while more := {each for each, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def snapshot(pid: int) -> Snapshot:
    """Return the CPU time so far of a process and its descendants."""
    return {each: _cpu_time(each, fields) for each in processes_of(pid) if (fields := _stat(each))}


def between(before: Snapshot, after: Snapshot) -> CpuTime:
    """Return the CPU time between two snapshots, of the processes that are in the later one."""
    spent = [
        tuple(late - early for late, early in zip(now, before.get(pid, CpuTime()), strict=True))
        for pid, now in after.items()
    ]
    return CpuTime(*(sum(part) for part in zip(*spent, strict=True))) if spent else CpuTime()


def _cpu_time(pid: int, fields: list[str]) -> CpuTime:
    return CpuTime(int(fields[_USER]) * _TICK_S, int(fields[_SYSTEM]) * _TICK_S, _waited_s(pid))


def _pids() -> list[int]:
    return [int(each.name) for each in _PROC.iterdir() if each.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """Return the fields behind the program's name, which may contain spaces and brackets."""
    with suppress(OSError):
        return (_PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return []


def _waited_s(pid: int) -> float:
    """Return the time for which the threads of a process waited for a core; 0 if the kernel does not say."""
    total = 0
    with suppress(OSError):
        for thread in (_PROC / str(pid) / "task").iterdir():
            # A thread may end between its listing and its reading.
            with suppress(OSError, ValueError, IndexError):
                total += int((thread / "schedstat").read_text(encoding="utf-8").split()[1])
    return total * _NS
