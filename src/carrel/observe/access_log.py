"""One line for each read, made in batches: about half a microsecond a line of JSON."""

from __future__ import annotations

from datetime import datetime
from random import random

import msgspec
from msgspec import UNSET, UnsetType

from carrel.escapes import escaped
from carrel.http.correlation import RequestIds, request_id_of, trace_id_of
from carrel.http.exchange import Request
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
    request_id: str | UnsetType = UNSET
    """As the client or a proxy gave it (`X-Request-Id`), else made here; where ids are asked for."""
    trace_id: str | UnsetType = UNSET
    """Of the trace that the request is part of, if it is."""


class AccessLog:
    """Says of which reads there are lines, and hands these to a writer.

    Args:
        writer: Where they go.
        hits: The part of the hits that is written, from 0 to 1; other reads are, all of them.
        with_ids: Whether a line has the ids of its request.
        for_people: Whether a line is for somebody who looks at a terminal, instead of JSON.
    """

    def __init__(
        self, writer: LineWriter, hits: float = 1.0, *, with_ids: bool = False, for_people: bool = False
    ) -> None:
        self._writer = writer
        self._hits = hits
        self.leaves_out_hits = hits < 1
        """Whether `leaves_out` is to be asked at all."""
        self.with_ids = with_ids
        self._for_people = for_people
        self._encoder = msgspec.json.Encoder()
        self._ids = RequestIds()

    def leaves_out(self) -> bool:
        """Draw whether the next hit has no line."""
        return random() >= self._hits  # noqa: S311 # nobody gains by knowing

    def correlate(self, stated: Request | bytes) -> tuple[str, str | UnsetType]:
        """Return the id of a request and that of its trace, as far as it is known."""
        if not isinstance(stated, Request):
            return self._ids.make(), UNSET
        headers = stated.headers
        return request_id_of(headers) or self._ids.make(), trace_id_of(headers) or UNSET

    def write(self, lines: list[ReadLine]) -> None:
        """Write a batch of lines."""
        if self._for_people:
            self._writer.write("".join(map(_for_people, lines)).encode())
        else:
            self._writer.write(self._encoder.encode_lines(lines))


def _for_people(line: ReadLine) -> str:
    at = datetime.fromtimestamp(line.ts).astimezone()
    return (
        f"{at:%H:%M:%S} read {line.status_code} {line.cache_result:<6} {line.latency_ms:9.3f} ms  "
        f"{escaped(line.resource_uri)}\n"
    )
