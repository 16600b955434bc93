"""Exemplars: of each bucket of a histogram, the last request in it that was traced.

Each has a record of its own in the memory that all workers share. One worker writes it, any reads it, and
neither waits for the other; nobody may read half of one and half of another (docs/adr/0013).
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple
from zlib import crc32

RECORD_WORDS = 7
RECORD_BYTES = 8 * RECORD_WORDS
"""A sequence number, the trace id in two halves, the span id, value, time, and a check of those."""

TRIES = 3
"""Looks at a record that changes meanwhile; a write takes microseconds, so more than one meets few."""

_BODY = Struct("=QQQdd")
_CHECK_BYTES = 8
_LOW = (1 << 64) - 1
_MARK = 0
"""The record of no bucket: written as soon as any other is, so that readers pass over what is empty."""


class Exemplar(NamedTuple):
    """A request that was traced."""

    trace_id: int
    span_id: int
    value: float
    at_s: float
    """When it was answered, as Unix time."""


class Records:
    """The records of one worker.

    Args:
        memory: As many bytes as its records take, all zero at first.
    """

    def __init__(self, memory: memoryview) -> None:
        self._bytes = memory
        self._words: memoryview[int] = memory.cast("Q")

    @property
    def are_used(self) -> bool:
        """Whether anything was written yet."""
        return self._words[_MARK] != 0

    def write(self, index: int, exemplar: Exemplar) -> None:
        """Write a record in place of what it had; in the process that it belongs to.

        Args:
            index: Of the record; the first one is no record.
            exemplar: See there.
        """
        assert index != _MARK
        trace_id, span_id, value, at_s = exemplar
        body = _BODY.pack(trace_id >> 64, trace_id & _LOW, span_id, value, at_s)
        words, at = self._words, index * RECORD_WORDS
        # Odd while it is written: a reader that sees the same even number before and after has one write. A
        # worker that was killed in between leaves it odd, and nobody reads it until its successor wrote.
        being_written = words[at] | 1
        words[at] = being_written
        start = 8 * (at + 1)
        self._bytes[start : start + len(body) + _CHECK_BYTES] = body + _check(body)
        words[at] = being_written + 1
        words[_MARK] = 1

    def read(self, index: int) -> Exemplar | None:
        """Return what a record has; None where that is nothing, or changes while it is read."""
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
