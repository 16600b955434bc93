"""Exemplars: for each bucket of a histogram, the last traced request in it.

Each has a record of its own in the memory that all workers share. One worker writes it, any reads it, and
neither waits for the other; a reader must never get half of one and half of another (docs/adr/0013).
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple
from zlib import crc32

RECORD_WORDS = 7
RECORD_BYTES = 8 * RECORD_WORDS
"""Size of a record in bytes: a sequence number, the trace id in two halves, the span id, value, time, and a
check of those."""

TRIES = 3
"""Attempts to read a record that changes meanwhile; a write takes microseconds, so more than one is rare."""

_BODY = Struct("=QQQdd")
_CHECK_BYTES = 8
_LOW = (1 << 64) - 1
_MARK = 0
"""Index of a record without a bucket: written as soon as any other is, so that readers can skip empty
memory."""


class Exemplar(NamedTuple):
    """A traced request."""

    trace_id: int
    span_id: int
    value: float
    at_s: float
    """Unix time of the answer."""


class ExemplarRecords:
    """Records of one worker.

    Args:
        memory: Exactly the bytes of its records, initially zero.
    """

    def __init__(self, memory: memoryview) -> None:
        self._bytes = memory
        self._words: memoryview[int] = memory.cast("Q")

    @property
    def are_used(self) -> bool:
        """Whether anything was written yet."""
        return self._words[_MARK] != 0

    def write(self, index: int, exemplar: Exemplar) -> None:
        """Write a record, replacing its content; only in the owning process.

        Args:
            index: Index of the record; the first one is reserved.
            exemplar: Content of the record.
        """
        assert index != _MARK
        trace_id, span_id, value, at_s = exemplar
        body = _BODY.pack(trace_id >> 64, trace_id & _LOW, span_id, value, at_s)
        words, at = self._words, index * RECORD_WORDS
        # Odd while it is written: a reader that sees the same even number before and after has a consistent
        # record. A worker killed in between leaves it odd, and readers skip it until its successor has
        # written.
        being_written = words[at] | 1
        words[at] = being_written
        start = 8 * (at + 1)
        self._bytes[start : start + len(body) + _CHECK_BYTES] = body + _check(body)
        words[at] = being_written + 1
        words[_MARK] = 1

    def read(self, index: int) -> Exemplar | None:
        """Return the content of a record; None if it is empty, or changes while it is read."""
        words, at = self._words, index * RECORD_WORDS
        start = 8 * (at + 1)
        for _ in range(TRIES):
            before = words[at]
            if not before:
                return None
            found = bytes(self._bytes[start : start + RECORD_BYTES - 8])
            if before % 2 or words[at] != before:
                continue
            body, check = found[: _BODY.size], found[_BODY.size :]
            # Not every processor shows writes in the order in which they were made; the check needs no order.
            if check == _check(body):
                high, low, span_id, value, at_s = _BODY.unpack(body)
                return Exemplar(high << 64 | low, span_id, value, at_s)
        return None


def _check(body: bytes) -> bytes:
    return crc32(body).to_bytes(_CHECK_BYTES, "little")
