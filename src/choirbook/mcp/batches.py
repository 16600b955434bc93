"""Gather the replies of a batch into one body of bounded size. Pure."""

from __future__ import annotations

from io import BytesIO

SMALL_BYTES = 1024
"""So short a reply is never left out once its request was carried out, which may have changed something."""


class Replies:
    """The replies to one batch.

    A buffer is written to, instead of a list joined at the end: joining would hold every reply twice.

    Args:
        max_bytes: Replies beyond this do not fit, except for the first.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = BytesIO()
        self.is_full = False
        """Whether a reply did not fit; requests after it are not worth carrying out."""

    def fits(self, reply: bytes) -> bool:
        """Tell whether a reply may be added."""
        held = self._buffer.tell()
        if held and len(reply) > SMALL_BYTES and held + len(reply) > self._max_bytes:
            self.is_full = True
        return not self.is_full

    def add(self, reply: bytes) -> None:
        """Add a reply."""
        self._buffer.write(b"," if self._buffer.tell() else b"[")
        self._buffer.write(reply)

    def body(self) -> bytes:
        """Return all replies as a JSON array; nothing where there are none."""
        if not self._buffer.tell():
            return b""
        self._buffer.write(b"]")
        # CPython hands out the buffer itself here, no copy of it.
        return self._buffer.getvalue()
