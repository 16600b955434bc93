"""Non-blocking output of lines to stderr.

A pipe whose reader stalls would block the event loop at a write. So a thread writes, from a bounded buffer;
lines that do not fit are dropped and counted.
"""

from __future__ import annotations

import os
import queue
import stat
import threading
from collections.abc import Callable
from typing import NamedTuple

MAX_BUFFERED_BYTES = 4 * 1024 * 1024

PIPE_BUF_BYTES = 4096
"""POSIX makes writes to a pipe atomic up to this size, so that workers' lines do not mix."""


class _Deferred(NamedTuple):
    """Lines that are yet to be formatted."""

    make: Callable[[], bytes]
    size_bytes: int


class LineWriter:
    """Writes blocks of complete lines to a descriptor, on a thread that starts with the first block."""

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor
        # A SimpleQueue takes no lock that a caller could wait for.
        self._blocks: queue.SimpleQueue[bytes | _Deferred | None] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        # Each is written by one side only. Two producers may lose a count to each other; this is corrected
        # the next time the queue is empty.
        self._taken_bytes = 0
        self._done_bytes = 0
        self.dropped_lines = 0
        """Number of lines dropped since the start."""

    def write(self, block: bytes) -> None:
        """Queue a block that ends with a line feed; never waits."""
        if not self._take(block, len(block)):
            self.dropped_lines += block.count(b"\n")

    def defer(self, make: Callable[[], bytes], size_bytes: int) -> None:
        """Queue a line to be formatted on the thread; never waits.

        Args:
            make: Formats the line.
            size_bytes: Approximate length of the line.
        """
        if not self._take(_Deferred(make, size_bytes), size_bytes):
            self.dropped_lines += 1

    def _take(self, block: bytes | _Deferred, size_bytes: int) -> bool:
        if self._blocks.empty():
            self._taken_bytes = self._done_bytes
        if self._taken_bytes - self._done_bytes + size_bytes > MAX_BUFFERED_BYTES:
            return False
        self._taken_bytes += size_bytes
        self._blocks.put(block)
        if self._thread is None and self._starting.acquire(blocking=False):
            self._thread = threading.Thread(target=self._run, name="choirbook-log", daemon=True)
            self._thread.start()
        return True

    def close(self, deadline_s: float = 2.0) -> None:
        """Write what is buffered, waiting no longer than the deadline."""
        thread = self._thread
        if thread is not None:
            self._blocks.put(None)
            thread.join(deadline_s)
            self._thread = None
            self._starting.release()

    def _run(self) -> None:
        is_file = _is_file(self._descriptor)
        while (block := self._blocks.get()) is not None:
            size_bytes = len(block) if isinstance(block, bytes) else block.size_bytes
            made = block if isinstance(block, bytes) else self._make(block)
            # Writes to a file are atomic at any size, and each write switches between this thread and the
            # loop.
            for piece in [made] if is_file else pieces(made, PIPE_BUF_BYTES):
                self._write_all(piece)
            self._done_bytes += size_bytes

    def _make(self, block: _Deferred) -> bytes:
        try:
            return block.make()
        except Exception:  # noqa: BLE001 # a line that cannot be made must not end those that come after
            self.dropped_lines += 1
            return b""

    def _write_all(self, piece: bytes) -> None:
        try:
            while piece:
                piece = piece[os.write(self._descriptor, piece) :]
        except OSError:
            # stderr is gone, and there is no better place to report it.
            self.dropped_lines += piece.count(b"\n")


def _is_file(descriptor: int) -> bool:
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def pieces(block: bytes, size: int) -> list[bytes]:
    """Cut a block after line feeds into pieces of at most `size` bytes; a longer line stays whole."""
    found = []
    start = 0
    while len(block) - start > size:
        end = block.rfind(b"\n", start, start + size) + 1
        if end == 0:
            end = block.find(b"\n", start) + 1 or len(block)
        found.append(block[start:end])
        start = end
    if start < len(block):
        found.append(block[start:])
    return found
