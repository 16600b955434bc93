"""Replies of a batch, collected into one body of bounded size. Pure."""

from __future__ import annotations

from io import BytesIO

SMALL_BYTES = 1024
"""Length below which a reply is never omitted once its request was carried out and may have had effects."""


class BatchReplies:
    """Replies to one batch.

    Written to a buffer instead of joined from a list at the end: joining would hold every reply twice.

    Args:
        max_bytes: Replies beyond this do not fit, except for the first.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = BytesIO()
        self.is_full = False
        """Whether a reply did not fit; later requests need not be carried out."""

    def fits(self, reply: bytes) -> bool:
        """Return whether a reply may be added."""
        held = self._buffer.tell()
        if held and len(reply) > SMALL_BYTES and held + len(reply) > self._max_bytes:
            self.is_full = True
        return not self.is_full

    def add(self, reply: bytes) -> None:
        """Add a reply."""
        self._buffer.write(b"," if self._buffer.tell() else b"[")
        self._buffer.write(reply)

    def body(self) -> bytes:
        """Return all replies as a JSON array; empty if there are none."""
        if not self._buffer.tell():
            return b""
        self._buffer.write(b"]")
        # CPython returns the buffer itself here, not a copy.
        return self._buffer.getvalue()
