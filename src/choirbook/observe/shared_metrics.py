"""Metrics in memory that all workers of one server share: one memory map, one slot per worker.

Recording is a write into a worker's own slot, so it needs no lock; reading sums the slots, so any worker can
answer for all. A slot outlives its worker, and the replacement continues to count in it: counters stay
monotonic across a death (docs/adr/0002).
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time
import weakref
from collections.abc import Collection, Iterator
from typing import NamedTuple

from choirbook.observe.exemplars import RECORD_BYTES, Exemplar, ExemplarRecords

SLOT_CELLS = 16 * 1024
SLOT_NAMES_BYTES = 128 * 1024
"""Bytes for names in a slot: room for some 300 types, or for every method with every error; unused pages take
no memory."""

_CELL_BYTES = 8
_NAMES_AT = SLOT_CELLS * _CELL_BYTES
_RECORDS_AT = _NAMES_AT + SLOT_NAMES_BYTES
_SLOT_BYTES = _RECORDS_AT + SLOT_CELLS * RECORD_BYTES
"""Size of a slot in bytes. There is a record for each cell, as any may be a bucket; only written ones take
memory."""

_PID_CELL = 0
_CLAIMS_CELL = 1
_FIRST_CELL = 2


class Series(NamedTuple):
    """A named run of cells: a metric's name and its labels, joined by unit separators."""

    name: str
    values: tuple[float, ...]


class SharedMetrics:
    """Shared memory of all slots. Created before workers are forked, and inherited by them.

    Args:
        workers: Number of processes that record at once. Each may be replaced while it is still shutting
            down, so there are twice as many slots.
    """

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        """Number of processes that record at once."""
        self._slots = 2 * workers
        self.started_s = time.time()
        """Start of counting, in seconds of Unix time."""
        self._map = mmap.mmap(-1, self._slots * _SLOT_BYTES)
        # Record locks belong to a process and end with it: a claimed slot is free again after any death.
        self._locks = os.memfd_create("choirbook-slots")
        weakref.finalize(self, os.close, self._locks)

    def claim(self) -> Slot:
        """Claim a free slot for this process.

        Raises:
            RuntimeError: More processes record than were announced.
        """
        for index in range(self._slots):
            try:
                fcntl.lockf(self._locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, index)
            except OSError:
                continue
            return Slot(self._view(index), self._names(index), self._records(index))
        raise RuntimeError("no free slot for metrics: more workers run than expected")

    def pids(self) -> list[int]:
        """Return the ids of the processes that record now."""
        claimed = [int(self._view(index)[_PID_CELL]) for index in range(self._slots)]
        return [pid for pid in claimed if pid and _is_alive(pid)]

    def respawns(self) -> int:
        """Return the number of processes that replaced others."""
        claims = sum(int(self._view(index)[_CLAIMS_CELL]) for index in range(self._slots))
        return max(0, claims - self.workers)

    def slots(self) -> Iterator[tuple[bool, list[Series]]]:
        """Yield, for each slot in use, whether its worker is alive, and its series."""
        for index in range(self._slots):
            cells = self._view(index)
            names = _decode_names(self._names(index))
            if names:
                is_alive = _is_alive(int(cells[_PID_CELL]))
                yield is_alive, [Series(n, tuple(cells[at : at + size])) for n, at, size in names]

    def exemplars(self, metrics: Collection[str]) -> Iterator[tuple[str, list[Exemplar | None]]]:
        """Yield the exemplars of some metrics by the names of their series, for each slot that has any.

        Args:
            metrics: Names of histograms.
        """
        for index in range(self._slots):
            records = self._records(index)
            if not records.are_used:
                continue
            for name, at, size in _decode_names(self._names(index)):
                if name.partition("\x1f")[0] in metrics:
                    yield name, [records.read(at + bucket) for bucket in range(size - 1)]

    def _view(self, index: int) -> memoryview[float]:
        start = index * _SLOT_BYTES
        return memoryview(self._map)[start : start + SLOT_CELLS * _CELL_BYTES].cast("d")

    def _names(self, index: int) -> memoryview:
        start = index * _SLOT_BYTES + _NAMES_AT
        return memoryview(self._map)[start : start + SLOT_NAMES_BYTES]

    def _records(self, index: int) -> ExemplarRecords:
        start = index * _SLOT_BYTES
        return ExemplarRecords(memoryview(self._map)[start + _RECORDS_AT : start + _SLOT_BYTES])


class Slot:
    """Cells of one worker."""

    def __init__(self, cells: memoryview[float], names: memoryview, records: ExemplarRecords) -> None:
        self.cells: memoryview[float] = cells
        """Float values; written by the owner only."""
        self.records = records
        """Exemplars of the cells that are buckets."""
        self._names = names
        self._known = {name: at for name, at, _ in _decode_names(names)}
        self._next_cell = max((at + size for _, at, size in _decode_names(names)), default=_FIRST_CELL)
        self._next_name = bytes(names).index(b"\0")
        cells[_PID_CELL] = os.getpid()
        cells[_CLAIMS_CELL] += 1

    def series(self, name: str, size: int) -> int:
        """Return the index of the first cell of a series, creating it if it is new.

        Args:
            name: See `Series`.
            size: Number of cells; the same each time.

        Raises:
            RuntimeError: The slot is full.
        """
        if name in self._known:
            return self._known[name]
        at = self._next_cell
        record = f"{name}\t{at}\t{size}\n".encode()
        if at + size > SLOT_CELLS or self._next_name + len(record) >= SLOT_NAMES_BYTES:
            raise RuntimeError(f"no room for the metric series {name!r}")
        self._known[name] = at
        self._next_cell = at + size
        # The name becomes visible to readers after its cells are reserved, in one assignment.
        self._names[self._next_name : self._next_name + len(record)] = record
        self._next_name += len(record)
        return at


def _decode_names(names: memoryview) -> list[tuple[str, int, int]]:
    text = bytes(names).partition(b"\0")[0].decode()
    found = []
    for line in text.splitlines():
        name, at, size = line.split("\t")
        found.append((name, int(at), int(size)))
    return found


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
