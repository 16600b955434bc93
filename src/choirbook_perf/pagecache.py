"""Eviction of documents from the page cache, so that the next read goes to the disk, with a check."""

from __future__ import annotations

import ctypes
import mmap
import os
from enum import StrEnum
from pathlib import Path

_DROP_CACHES = Path("/proc/sys/vm/drop_caches")


class Method(StrEnum):
    """Method of eviction."""

    FADVISE = "fadvise"
    """`posix_fadvise(POSIX_FADV_DONTNEED)` on each file; does not disturb other processes."""
    DROP_CACHES = "drop_caches"
    """`/proc/sys/vm/drop_caches`, for the whole machine; root only."""
    NONE = "none"
    """Neither is possible: reads come from memory, and are not cold."""


class PageCache:
    """Evicts files from memory by the least intrusive method that works.

    Args:
        sample: A file to test the methods on.
    """

    def __init__(self, sample: Path) -> None:
        self.method = self._choose(sample)

    def drop(self, path: Path) -> bool:
        """Evict a file; return whether none of it is in memory any more."""
        if self.method is Method.FADVISE:
            _advise(path)
        elif self.method is Method.DROP_CACHES:
            _drop_all()
        return resident_pages(path) == 0

    @staticmethod
    def _choose(sample: Path) -> Method:
        for method, act in ((Method.FADVISE, _advise), (Method.DROP_CACHES, lambda _: _drop_all())):
            try:
                sample.read_bytes()
                act(sample)
                if resident_pages(sample) == 0:
                    return method
            except OSError:
                continue
        return Method.NONE


def resident_pages(path: Path) -> int:
    """Return how many pages of a file are in memory (`mincore(2)`); this loads none."""
    size = path.stat().st_size
    if size == 0:
        return 0
    pages = -(-size // mmap.PAGESIZE)
    residency = (ctypes.c_ubyte * pages)()
    libc = ctypes.CDLL(None, use_errno=True)
    # Copy-on-write, as only writable maps provide their address. Nothing is written.
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        first = ctypes.c_char.from_buffer(mapped)
        outcome = libc.mincore(ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(size), residency)
        number = ctypes.get_errno()
        del first
    if outcome != 0:
        raise OSError(number, os.strerror(number), str(path))
    return sum(flags & 1 for flags in residency)


def _advise(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Pages that are not on the disk yet stay in memory, despite the advice.
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _drop_all() -> None:
    os.sync()
    _DROP_CACHES.write_text("1\n", encoding="ascii")
