"""One log line for each read, made in batches.

Lines of one kind of reads differ in two numbers. If they contain nothing else, the text around these is made
once per batch, and the numbers of all lines are formatted at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from random import random

import msgspec
from msgspec import UNSET, UnsetType

from choirbook.http.exchange import FailedRead, Read, Request, RequestSource
from choirbook.http.request_ids import RequestIds, request_id_of, trace_id_of
from choirbook.model import ServedFrom
from choirbook.observe.batch import ResponseBatch, ResponseKind, served_from
from choirbook.observe.log_writer import LineWriter
from choirbook.text.escapes import escaped

_NUMBER = b"\0"
"""Placeholder for a number. JSON never contains this byte."""

_FIRST = b'{"ts":'
"""Start of a line, before its first number."""

_WHOLE = 2.0**52
"""Added to a number and subtracted again, it rounds: a double this large has no room for a fraction (IEEE
754). Latencies are logged in whole microseconds; int() costs more than twice as much, round() to digits far
more."""

_READY_US = 4096
"""Latencies in microseconds below this have cached text: they are short and frequent. A cache of all
latencies would grow for as long as new values occur, which is hours."""


class ReadLine(msgspec.Struct, gc=False):
    """Log line of one read. Field names are part of the interface."""

    ts: float | msgspec.Raw
    """Unix time in seconds."""
    event: str
    resource_uri: str
    latency_ms: float | msgspec.Raw
    status_code: int
    file_size_bytes: int | None
    cache_result: str
    """`hit`, `shared`, `miss`, `stale`, or `none` for a read that failed."""
    request_id: str | UnsetType = UNSET
    """From the client or a proxy (`X-Request-Id`), or generated here; if ids are enabled."""
    trace_id: str | UnsetType = UNSET
    """Id of the trace that the request is part of, if there is one."""


def whole_us(latency_s: float) -> float:
    """Return a latency in whole microseconds, as in every log line."""
    return latency_s * 1e6 + _WHOLE - _WHOLE


class AccessLog:
    """Formats the lines of batches, and passes them to a writer.

    Args:
        writer: Writes the lines.
        hits: Fraction of hits to log, from 0 to 1; other reads are always logged.
        with_ids: Whether a line has the ids of its request.
        for_people: Whether lines are text for a terminal, instead of JSON.
    """

    def __init__(
        self, writer: LineWriter, hits: float = 1.0, *, with_ids: bool = False, for_people: bool = False
    ) -> None:
        self._writer = writer
        self._hits = hits
        self._with_ids = with_ids
        self._for_people = for_people
        self._are_alike = hits == 1 and not with_ids and not for_people
        self._encoder = msgspec.json.Encoder()
        self._milliseconds = _Milliseconds()
        self._ids = RequestIds()

    def write(self, batch: ResponseBatch, unix_s: float) -> None:
        """Write the lines of a batch.

        Args:
            batch: Responses.
            unix_s: Offset from the monotonic clock to Unix time, in seconds.
        """
        is_plain = not batch.marks and not any(len(kind.reads) > 1 for kind in batch.kinds)
        if self._are_alike and is_plain:
            block = self._lines_alike(batch, unix_s)
        elif self._for_people:
            block = "".join(map(_for_people, self._lines(batch, unix_s))).encode()
        else:
            block = self._encoder.encode_lines(list(self._lines(batch, unix_s)))
        if block:
            self._writer.write(block)

    def _lines_alike(self, batch: ResponseBatch, unix_s: float) -> bytes:
        """Format lines that consist of their own numbers and the common text of their kind."""
        kinds, ends_s, latencies_s = batch.kind_of_each, batch.ends_s, batch.latencies_s
        if not all(kind.reads for kind in batch.kinds):
            reading = [kind for kind in kinds if kind.reads]
            ends_s = [at_s for kind, at_s in zip(kinds, ends_s, strict=True) if kind.reads]
            latencies_s = [took_s for kind, took_s in zip(kinds, latencies_s, strict=True) if kind.reads]
            kinds = reading
        for kind in batch.kinds:
            if kind.reads:
                kind.between, kind.behind = self._around_numbers(kind)
        pieces = [_FIRST] * (4 * len(kinds) + 1)
        pieces[1::4] = self._numbers([unix_s + at_s for at_s in ends_s])
        pieces[2::4] = [kind.between for kind in kinds]
        text_of = self._milliseconds
        pieces[3::4] = [text_of[latency_s * 1e6 + _WHOLE - _WHOLE] for latency_s in latencies_s]
        pieces[4::4] = [kind.behind for kind in kinds]
        return b"".join(pieces).removesuffix(_FIRST)

    def _around_numbers(self, kind: ResponseKind) -> tuple[bytes, bytes]:
        """Return the text of a kind's lines between the numbers, and from there to the next line's."""
        number = msgspec.Raw(_NUMBER)
        line = self._encoder.encode(_line(kind.reads[0], kind.status, number, number))
        _, between, behind = line.split(_NUMBER)
        return between, behind + b"\n" + _FIRST

    def _numbers(self, values: list[float]) -> list[bytes]:
        """Format numbers, all at once."""
        return self._encoder.encode(values)[1:-1].split(b",") if values else []

    def _lines(self, batch: ResponseBatch, unix_s: float) -> Iterator[ReadLine]:
        """Yield lines with further fields, or a sample of the lines."""
        columns = zip(batch.kind_of_each, batch.ends_s, batch.latencies_s, strict=True)
        for place, (kind, end_s, latency_s) in enumerate(columns):
            mark, request = batch.marks.get(place), batch.requests.get(place)
            ids = self._correlate(request) if self._with_ids and kind.reads else (UNSET, UNSET)
            for read in kind.reads:
                line = _line(read, kind.status, unix_s + end_s, whole_us(latency_s) / 1000)
                if line.cache_result == ServedFrom.HIT and self._leaves_out():
                    continue
                line.request_id, line.trace_id = ids
                if mark is not None:
                    line.trace_id = f"{mark.trace_id:032x}"
                yield line

    def _leaves_out(self) -> bool:
        return self._hits < 1 and random() >= self._hits  # noqa: S311 - no secret

    def _correlate(self, request: RequestSource) -> tuple[str | UnsetType, str | UnsetType]:
        """Return the ids of a request and of its trace, as far as they are known."""
        if request is None:
            return UNSET, UNSET
        if not isinstance(request, Request):
            return self._ids.make(), UNSET
        headers = request.headers
        return request_id_of(headers) or self._ids.make(), trace_id_of(headers) or UNSET


class _Milliseconds(dict[float, bytes]):
    """Latencies in milliseconds as text, by whole microseconds."""

    def __init__(self) -> None:
        super().__init__((float(us), msgspec.json.encode(us / 1000)) for us in range(_READY_US))

    def __missing__(self, latency_us: float) -> bytes:
        return msgspec.json.encode(latency_us / 1000)


def _line(read: Read, status: int, at_s: float | msgspec.Raw, taken_ms: float | msgspec.Raw) -> ReadLine:
    if isinstance(read, FailedRead):
        return ReadLine(at_s, "read", read.uri, taken_ms, status, None, "none")
    return ReadLine(at_s, "read", read.info.uri, taken_ms, status, read.info.size, served_from(read))


def _for_people(line: ReadLine) -> str:
    assert isinstance(line.ts, float)
    assert isinstance(line.latency_ms, float)
    at = datetime.fromtimestamp(line.ts).astimezone()
    return (
        f"{at:%H:%M:%S} read {line.status_code} {line.cache_result:<6} {line.latency_ms:9.3f} ms  "
        f"{escaped(line.resource_uri)}\n"
    )
