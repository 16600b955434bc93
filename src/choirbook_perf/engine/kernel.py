"""Processor time of this process and of the machine, as Linux reports it; None where it does not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class Machine(NamedTuple):
    """Counters of the kernel, in seconds since some time in the past."""

    waited_s: float | None
    """Time for which this process was ready to run and had no core."""
    stalled_s: float | None
    """Time in which some process of the machine waited for a core (PSI)."""
    stolen_s: float | None
    """Time that the hypervisor gave to others, over all cores."""
    total_s: float | None
    """Time of all kinds, over all cores."""
    idle_s: float | None
    """Time for which the cores that this process may use had nothing to do, on average of these cores."""


def machine() -> Machine:
    """Read the counters."""
    lines = _text("/proc/stat").splitlines()
    stolen, total = _processor_times(lines)
    return Machine(_waited_s(), _stalled_s(), stolen, total, _idle_s(lines))


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def _waited_s() -> float | None:
    # Documentation/scheduler/sched-stats.rst: nanoseconds on a core, nanoseconds waiting for one, turns.
    fields = _text("/proc/self/schedstat").split()
    return int(fields[1]) / 1e9 if len(fields) == 3 else None  # noqa: PLR2004 - as above


def _stalled_s() -> float | None:
    # Documentation/accounting/psi.rst: some avg10=0.00 avg60=0.00 avg300=0.00 total=<microseconds>
    _, found, rest = _text("/proc/pressure/cpu").partition("total=")
    return int(rest.split()[0]) / 1e6 if found else None


_IDLE, _IOWAIT, _STEAL = 3, 4, 7
_HUNDREDTHS = 100.0


def _processor_times(lines: list[str]) -> tuple[float | None, float | None]:
    # proc(5): cpu user nice system idle iowait irq softirq steal guest guest_nice; guest is part of user.
    fields = lines[0].split()[1:] if lines else []
    if len(fields) <= _STEAL:
        return None, None
    times = [int(field) / _HUNDREDTHS for field in fields[: _STEAL + 1]]
    return times[_STEAL], sum(times)


def _idle_s(lines: list[str]) -> float | None:
    # A line for each core begins with its name, such as cpu0.
    cores = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    fields = [words[1:] for words in map(str.split, lines) if words and words[0] in cores]
    if not fields or any(len(each) <= _STEAL for each in fields):
        return None
    return sum(int(each[_IDLE]) + int(each[_IOWAIT]) for each in fields) / _HUNDREDTHS / len(fields)
