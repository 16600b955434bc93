"""Takes note of what each response read, and works it up in batches: metrics and the access log.

The hot path appends one tuple. Everything else happens at most `FLUSH_S` later, for many reads at
once, which makes a read several times cheaper than recording it on the spot.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from time import time

from carrel.http.exchange import Read, Response, Revalidation
from carrel.library import Library
from carrel.model import Reading, ServedFrom
from carrel.observe.access_log import AccessLog, ReadLine
from carrel.observe.lines import LineWriter
from carrel.observe.metrics import (
    CACHE_BYTES,
    CACHE_SIZE,
    CATALOG_SIZE,
    DROPPED_LINES,
    EVICTIONS,
    FAILED_SURVEYS,
    WATCHING,
    Recorder,
)

FLUSH_S = 0.05
"""How long a read waits to be recorded at most; a killed worker takes that much with it."""

MAX_PENDING = 512
"""Responses after which nothing waits any longer: bounds what is held."""

_FROM_A_CACHE = frozenset({ServedFrom.HIT, ServedFrom.SHARED})

_Pending = tuple[float, float, int, tuple[Read, ...]]
"""Unix time, latency in seconds, status, reads."""


class Observer:
    """Watches one worker.

    Args:
        recorder: Where figures go.
        access_log: Where lines go; None for no lines.
        library: Whose state the gauges show.
        writer: Whose dropped lines are counted.
    """

    def __init__(
        self, recorder: Recorder, access_log: AccessLog | None, library: Library, writer: LineWriter
    ) -> None:
        self._recorder = recorder
        self._access_log = access_log
        self._library = library
        self._writer = writer
        self._pending: list[_Pending] = []
        library.catalog.listen(lambda _: self.refresh_gauges())

    def record(self, response: Response, latency_s: float) -> None:
        """Take note of a response; call it on the event loop.

        Args:
            response: What was sent.
            latency_s: From the whole request to the response, in seconds.
        """
        pending = self._pending
        pending.append((time(), latency_s, response.status, response.reads))
        if len(pending) == 1:
            asyncio.get_running_loop().call_later(FLUSH_S, self.flush)
        elif len(pending) >= MAX_PENDING:
            self.flush()

    def flush(self) -> None:
        """Work up what is pending."""
        if self._pending:
            batch, self._pending = self._pending, []
            self._recorder.responses(Counter(status // 100 for _, _, status, _ in batch))
            lines = self._observe(batch)
            if self._access_log is not None and lines:
                self._access_log.write(lines)
        self.refresh_gauges()

    def refresh_gauges(self) -> None:
        """Write the state of the worker into its gauges."""
        memory, gauge, counter = self._library.memory, self._recorder.gauge, self._recorder.counter
        gauge(CACHE_SIZE, len(memory), level="memory")
        gauge(CACHE_BYTES, memory.size_bytes, level="memory")
        gauge(CATALOG_SIZE, len(self._library.catalog))
        gauge(WATCHING, float(self._library.freshness.watching))
        counter(EVICTIONS, memory.evictions, level="memory")
        counter(FAILED_SURVEYS, self._library.freshness.failed_surveys)
        counter(DROPPED_LINES, self._writer.dropped_lines)

    def _observe(self, batch: list[_Pending]) -> list[ReadLine]:
        """Count the reads of a batch, and make their lines."""
        latencies: defaultdict[tuple[str, ServedFrom], list[float]] = defaultdict(list)
        lookups: defaultdict[ServedFrom, list[float]] = defaultdict(list)
        lines: list[ReadLine] = []
        for unix_s, latency_s, status, reads in batch:
            # Whole microseconds; round() to digits goes by way of text and costs as much as the line does.
            latency_ms = int(latency_s * 1e6) / 1000
            for read in reads:
                if isinstance(read, Reading):
                    info, served_from = read.info, read.served_from
                    lookups[served_from].append(read.lookup_s)
                elif isinstance(read, Revalidation):
                    info, served_from = read.info, ServedFrom.HIT
                else:
                    self._recorder.failure(read.reason)
                    lines.append(ReadLine(unix_s, "read", read.uri, latency_ms, status, None, "none"))
                    continue
                latencies[info.type, served_from].append(latency_s)
                lines.append(ReadLine(unix_s, "read", info.uri, latency_ms, status, info.size, served_from))
        for (type_, served_from), values in latencies.items():
            is_hit = served_from in _FROM_A_CACHE
            self._recorder.reads(type_, values, is_hit=is_hit, is_stale=served_from is ServedFrom.STALE)
        for served_from, values in lookups.items():
            self._recorder.lookups(values, is_hit=served_from in _FROM_A_CACHE)
        return lines
