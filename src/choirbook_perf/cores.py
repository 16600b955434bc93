"""Division of the machine's cores between servers and the load, so that neither waits for the other."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple


class Cores(NamedTuple):
    """Cores of either side; the same ones if there is only one."""

    servers: tuple[int, ...]
    load: tuple[int, ...]


def divide(usable: Sequence[int]) -> Cores:
    """Give the last core to the load, and all others to the servers."""
    ordered = tuple(sorted(usable))
    return Cores(ordered[:-1], ordered[-1:]) if len(ordered) > 1 else Cores(ordered, ordered)


@contextmanager
def divided() -> Iterator[Cores]:
    """Keep this process, and those that it starts, on the load's cores for as long as the context lasts."""
    before = os.sched_getaffinity(0)
    cores = divide(tuple(before))
    os.sched_setaffinity(0, cores.load)
    try:
        yield cores
    finally:
        os.sched_setaffinity(0, before)


def pin(pid: int, cores: Sequence[int]) -> None:
    """Restrict a process that has just started, and all that it starts later, to some cores."""
    with suppress(OSError):  # it has already ended, which the caller notices
        os.sched_setaffinity(pid, cores)
