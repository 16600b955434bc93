"""Takes note of what each response read, and works it up in batches: metrics and the access log.

The hot path appends one tuple. Everything else happens at most `FLUSH_S` later, for many reads at
once, which makes a read several times cheaper than recording it on the spot.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from time import monotonic, time
from typing import NamedTuple

from carrel.cache.memory import Bound
from carrel.cache.redis_link import Reason
from carrel.cache.shared import LOOKUPS, SharedLevel
from carrel.http.exchange import FailedRead, Operation, Read, Response, Revalidation
from carrel.library import Library
from carrel.model import Form, Reading, ServedFrom
from carrel.observe.access_log import AccessLog, ReadLine
from carrel.observe.lines import LineWriter
from carrel.observe.metrics import (
    BREAKER_OPENINGS,
    CACHE_BYTES,
    CACHE_SIZE,
    CATALOG_SIZE,
    DROPPED_LINES,
    EVICTIONS,
    FAILED_SURVEYS,
    FEED_LOSSES,
    FEED_UP,
    FORM_BYTES,
    GENERATION,
    OPEN_BREAKERS,
    REDIS_ERRORS,
    SHARED_LOOKUPS,
    SHARED_UP,
    SHARED_WRITES,
    WATCHING,
)
from carrel.observe.recorder import Recorder

FLUSH_S = 0.05
"""How long a read waits to be recorded at most; a killed worker takes that much with it."""

MAX_PENDING = 512
"""Responses after which nothing waits any longer: bounds what is held."""

_FROM_A_CACHE = frozenset({ServedFrom.HIT, ServedFrom.SHARED})

Recorded = tuple[Response, float, float]
"""A response, when its request was whole, and when it was sent; in seconds of the monotonic clock."""


class _Told(NamedTuple):
    """What the lines of one kind of read have in common, and how long each of them took."""

    uri: str
    size_bytes: int | None
    cache_result: str
    latencies_s: list[float]


class Observer:
    """Watches one worker.

    Args:
        access_log: Where lines go; None for no lines.
        library: Whose state the gauges show.
        writer: Whose dropped lines are counted.
    """

    def __init__(self, access_log: AccessLog | None, library: Library, writer: LineWriter) -> None:
        self._recorder: Recorder | None = None
        self._access_log = access_log
        self._library = library
        self._writer = writer
        self._pending: list[Recorded] = []
        self._further: list[Callable[[Recorder], None]] = []
        self._takers: list[Callable[[Sequence[Recorded]], None]] = []
        self._refreshing: asyncio.TimerHandle | None = None
        library.catalog.listen(lambda _: self.refresh_gauges())
        if library.shared is not None:
            library.shared.link.listen(self.refresh_gauges)
            library.shared.feed.on_turn(self.refresh_gauges)

    def start(self, recorder: Recorder) -> None:
        """Begin to watch, in the process that serves.

        Args:
            recorder: Where figures go.
        """
        self._recorder = recorder
        self.refresh_gauges()

    def stop(self) -> None:
        """Work up what is pending, and watch no longer."""
        self.flush()
        self._recorder = None

    def record(self, response: Response, start_s: float) -> None:
        """Take note of a response that was just sent; call it on the event loop.

        Args:
            response: What was sent.
            start_s: What `monotonic` said when the request was there as a whole.
        """
        pending = self._pending
        pending.append((response, start_s, monotonic()))
        if len(pending) == 1:
            asyncio.get_running_loop().call_later(FLUSH_S, self.flush)
        elif len(pending) >= MAX_PENDING:
            self.flush()

    def record_search(self, latency_s: float) -> None:
        """Take note of a search that was answered."""
        if self._recorder is not None:
            self._recorder.search(latency_s)

    def flush(self) -> None:
        """Work up what is pending."""
        batch, self._pending = self._pending, []
        if batch:
            lines, told = _group(batch)
            if self._recorder is not None:
                _count_responses(batch, self._recorder)
                _count(told, self._recorder)
                self._count_lookups(self._recorder)
            if self._access_log is not None and lines:
                self._access_log.write(lines)
            for take in self._takers:
                take(batch)
        self.refresh_gauges()

    def also_reads(self, take: Callable[[Sequence[Recorded]], None]) -> None:
        """Have a function take every batch of responses too, on the event loop: once in `FLUSH_S` at most."""
        self._takers.append(take)

    def also(self, write: Callable[[Recorder], None]) -> None:
        """Have a function write further gauges and counters, whenever the others are written."""
        self._further.append(write)

    def refresh_soon(self) -> None:
        """Have the gauges written within `FLUSH_S`; call it on the event loop, as often as they change."""
        if self._refreshing is None and self._recorder is not None:
            self._refreshing = asyncio.get_running_loop().call_later(FLUSH_S, self._refresh)

    def _refresh(self) -> None:
        self._refreshing = None
        self.refresh_gauges()

    def refresh_gauges(self) -> None:
        """Write the state of the worker into its gauges."""
        if self._recorder is None:
            return
        memory, gauge, counter = self._library.memory, self._recorder.gauge, self._recorder.counter
        gauge(CACHE_SIZE, len(memory), level="memory")
        gauge(CACHE_BYTES, memory.size_bytes, level="memory")
        for form in Form:
            gauge(FORM_BYTES, memory.form_bytes[form], form=form.value)
        gauge(CATALOG_SIZE, len(self._library.catalog))
        gauge(GENERATION, self._library.catalog.generation)
        gauge(WATCHING, float(self._library.freshness.watching))
        for bound in Bound:
            counter(EVICTIONS, memory.evictions[bound], level="memory", reason=bound.value)
        counter(FAILED_SURVEYS, self._library.freshness.failed_surveys)
        counter(DROPPED_LINES, self._writer.dropped_lines)
        for write in self._further:
            write(self._recorder)
        if self._library.shared is not None:
            _refresh_shared(self._library.shared, self._recorder)

    def _count_lookups(self, recorder: Recorder) -> None:
        library = self._library
        for durations_s, is_hit in ((library.hit_lookups_s, True), (library.missed_lookups_s, False)):
            recorder.lookups(list(durations_s), is_hit=is_hit)
            durations_s.clear()


def _refresh_shared(shared: SharedLevel, recorder: Recorder) -> None:
    recorder.gauge(SHARED_UP, float(shared.link.is_up))
    recorder.gauge(OPEN_BREAKERS, float(not shared.link.is_up))
    recorder.counter(BREAKER_OPENINGS, shared.link.openings)
    recorder.gauge(FEED_UP, float(shared.feed.is_up))
    recorder.counter(FEED_LOSSES, shared.feed.losses)
    for result in LOOKUPS:
        recorder.counter(SHARED_LOOKUPS, shared.lookups[result], result=result)
    recorder.counter(SHARED_WRITES, shared.writes, result="written")
    recorder.counter(SHARED_WRITES, shared.dropped, result="dropped")
    for reason in Reason:
        recorder.counter(REDIS_ERRORS, shared.link.errors[reason], reason=reason.value)


def _group(batch: list[Recorded]) -> tuple[list[ReadLine], dict[Read, _Told]]:
    """Make the lines of a batch, and put together what is the same read.

    Hits of one document are one object, so that what is said of it is found out once a batch.
    """
    unix_s = time() - monotonic()
    told: dict[Read, _Told] = {}
    lines: list[ReadLine] = []
    for response, start_s, end_s in batch:
        for read in response.reads:
            of_read = told.get(read)
            if of_read is None:
                of_read = told[read] = _tell(read)
            uri, size_bytes, cache_result, latencies_s = of_read
            latency_s = end_s - start_s
            latencies_s.append(latency_s)
            # Whole microseconds; round() to digits goes by way of text, which is far dearer.
            taken_ms = int(latency_s * 1e6) / 1000
            sent_s = unix_s + end_s
            line = ReadLine(sent_s, "read", uri, taken_ms, response.status, size_bytes, cache_result)
            lines.append(line)
    return lines, told


def _count_responses(batch: list[Recorded], recorder: Recorder) -> None:
    recorder.responses(
        Counter(response.status // 100 for response, _, _ in batch),
        sum(len(response.body) for response, _, _ in batch),
    )
    # Those that went well are one object for each method, so this puts them together by what is at hand.
    durations_s: defaultdict[tuple[Operation, ...], list[float]] = defaultdict(list)
    for response, start_s, end_s in batch:
        durations_s[response.operations].append(end_s - start_s)
    for operations, values_s in durations_s.items():
        for operation in operations:
            recorder.operations(operation, list(values_s))


def _count(told: dict[Read, _Told], recorder: Recorder) -> None:
    latencies_s: defaultdict[tuple[str, ServedFrom], list[float]] = defaultdict(list)
    for read, of_read in told.items():
        if isinstance(read, FailedRead):
            recorder.failure(read.reason)
        else:
            latencies_s[read.info.type, _served_from(read)] += of_read.latencies_s
    for (type_, served_from), values_s in latencies_s.items():
        is_hit = served_from in _FROM_A_CACHE
        recorder.reads(type_, values_s, is_hit=is_hit, is_stale=served_from is ServedFrom.STALE)


def _tell(read: Read) -> _Told:
    if isinstance(read, FailedRead):
        return _Told(read.uri, None, "none", [])
    return _Told(read.info.uri, read.info.size, _served_from(read), [])


def _served_from(read: Reading | Revalidation) -> ServedFrom:
    return read.served_from if isinstance(read, Reading) else ServedFrom.HIT
