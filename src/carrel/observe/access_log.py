"""One JSON line for each read, encoded in batches: about half a microsecond a line."""

from __future__ import annotations

import msgspec

from carrel.observe.lines import LineWriter


class ReadLine(msgspec.Struct, gc=False):
    """What is said of one read. Field names are the interface."""

    ts: float
    """Unix time in seconds."""
    event: str
    resource_uri: str
    latency_ms: float
    status_code: int
    file_size_bytes: int | None
    cache_result: str
    """`hit`, `shared`, `miss`, `stale`, or `none` for a read that failed."""


class AccessLog:
    """Encodes lines and hands them to a writer."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer
        self._encoder = msgspec.json.Encoder()

    def write(self, lines: list[ReadLine]) -> None:
        """Write a batch of lines."""
        self._writer.write(self._encoder.encode_lines(lines))
