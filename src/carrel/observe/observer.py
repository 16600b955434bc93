"""Records what each response read: metrics and the access log."""

from __future__ import annotations

from time import time

from carrel.http.exchange import FailedRead, Read, Response, Revalidation
from carrel.library import Library
from carrel.model import ServedFrom
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

_FROM_A_CACHE = frozenset({ServedFrom.HIT, ServedFrom.SHARED})


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
        library.catalog.listen(lambda _: self.refresh_gauges())

    def record(self, response: Response, latency_s: float) -> None:
        """Take note of a response.

        Args:
            response: What was sent.
            latency_s: From the whole request to the response, in seconds.
        """
        self._recorder.response(response.status)
        for read in response.reads:
            self._record_read(read, response.status, latency_s)

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

    def flush(self) -> None:
        """Hand over what the access log gathered."""
        if self._access_log is not None:
            self._access_log.flush()

    def _record_read(self, read: Read, status: int, latency_s: float) -> None:
        if isinstance(read, FailedRead):
            self._recorder.failure(read.reason)
            self._log(read.uri, latency_s, status, None, "none")
            return
        info = read.info
        if isinstance(read, Revalidation):
            self._recorder.revalidation(info.type, latency_s)
            self._log(info.uri, latency_s, status, info.size, "hit")
            return
        served_from = read.served_from
        if served_from in _FROM_A_CACHE:
            self._recorder.hit(info.type, latency_s, read.lookup_s)
        else:
            self._recorder.miss(info.type, latency_s, read.lookup_s, is_stale=served_from is ServedFrom.STALE)
            self.refresh_gauges()
        self._log(info.uri, latency_s, status, info.size, served_from.value)

    def _log(self, uri: str, latency_s: float, status: int, size: int | None, result: str) -> None:
        if self._access_log is not None:
            line = ReadLine(time(), "read", uri, round(latency_s * 1000, 3), status, size, result)
            self._access_log.add(line)
