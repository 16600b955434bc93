"""Observer of responses, which processes them in batches: metrics and the access log.

The hot path records a few numbers. Everything else happens at most `FLUSH_S` later, for many reads at once,
which makes a read several times cheaper than recording it at once.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from time import monotonic, time

from choirbook.cache.memory import Bound
from choirbook.http.exchange import FailedRead, Operation
from choirbook.library.library import Library
from choirbook.model import Form, ServedFrom
from choirbook.observe.access_log import AccessLog
from choirbook.observe.batch import FROM_A_CACHE, ResponseBatch, ResponseBuffer, served_from
from choirbook.observe.log_writer import LineWriter
from choirbook.observe.metrics import (
    BREAKER_OPENINGS,
    CACHE_BYTES,
    CACHE_SIZE,
    CATALOG_SIZE,
    DROPPED_LINES,
    EVICTIONS,
    FAILED_SCANS,
    FEED_LOSSES,
    FEED_UP,
    FORM_BYTES,
    GENERATION,
    OPEN_BREAKERS,
    READY,
    REDIS_DENIED,
    REDIS_ERRORS,
    REDIS_UNVERIFIED,
    RULES_UP,
    SHARED_LOOKUPS,
    SHARED_UP,
    SHARED_WRITES,
    WATCH_WANTED,
    WATCHING,
)
from choirbook.observe.recorder import Recorder
from choirbook.redis.errors import COMMANDS, Reason
from choirbook.redis.rejections import KINDS
from choirbook.redis.store import LOOKUPS, SharedStore

FLUSH_S = 0.05
"""Maximum delay before a read is processed, in seconds; a killed worker loses that much."""

MAX_PENDING = 512
"""Number of responses at which a batch is processed at once: limits its size."""


class Observer:
    """Watches one worker.

    Args:
        access_log: Gets the reads; None for no log lines.
        library: Library whose state the gauges show.
        writer: Writer whose dropped lines are counted.
        keeps_requests: See `ResponseBuffer`.
    """

    def __init__(
        self,
        access_log: AccessLog | None,
        library: Library,
        writer: LineWriter,
        *,
        keeps_requests: bool = False,
    ) -> None:
        self._recorder: Recorder | None = None
        self._access_log = access_log
        self._library = library
        self._writer = writer
        self._responses = ResponseBuffer(
            self._flush_soon, self._work_up, MAX_PENDING, keeps_requests=keeps_requests
        )
        self.record = self._responses.add
        """Record a response that was just sent, see `ResponseBuffer.add`; call it on the event loop."""
        self._further: list[Callable[[Recorder], None]] = []
        self._takers: list[Callable[[ResponseBatch], None]] = []
        self._flushing: asyncio.TimerHandle | None = None
        self._refreshing: asyncio.TimerHandle | None = None
        library.catalog.listen(lambda _: self.refresh_gauges())
        if library.shared is not None:
            library.shared.connection.listen(self.refresh_gauges)
            library.shared.feed.on_state_change(self.refresh_gauges)

    def start(self, recorder: Recorder) -> None:
        """Start to observe, in the serving process.

        Args:
            recorder: Records metrics.
        """
        self._recorder = recorder
        self.refresh_gauges()

    def stop(self) -> None:
        """Process pending responses, and stop observing."""
        self.flush()
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        self._recorder = None

    def record_search(self, latency_s: float) -> None:
        """Record a search that was answered."""
        if self._recorder is not None:
            self._recorder.search(latency_s)

    def flush(self) -> None:
        """Process pending responses, and write the state of the worker."""
        self._work_up()
        self.refresh_gauges()

    def _flush_soon(self) -> None:
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(FLUSH_S, self._flush_in_time)

    def _flush_in_time(self) -> None:
        self._flushing = None
        self.flush()

    def _work_up(self) -> None:
        batch = self._responses.take()
        if not batch:
            return
        if self._recorder is not None:
            _count(batch, self._recorder)
            self._count_lookups(self._recorder)
        if self._access_log is not None:
            self._access_log.write(batch, time() - monotonic())
        for take in self._takers:
            take(batch)

    def also_batches(self, take: Callable[[ResponseBatch], None]) -> None:
        """Add a function that also receives every batch of responses, on the event loop."""
        self._takers.append(take)

    def also(self, write: Callable[[Recorder], None]) -> None:
        """Add a function that writes further gauges and counters, whenever the others are written."""
        self._further.append(write)

    def refresh_soon(self) -> None:
        """Write the gauges within `FLUSH_S`; call it on the event loop, as often as they change."""
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
        follower = self._library.follower
        gauge(WATCHING, float(follower.watching))
        gauge(WATCH_WANTED, float(follower.is_watch_wanted))
        gauge(READY, float(self._library.is_ready))
        gauge(RULES_UP, float(not follower.rule_faults))
        for bound in Bound:
            counter(EVICTIONS, memory.evictions[bound], level="memory", reason=bound.value)
        counter(FAILED_SCANS, follower.failed_scans)
        counter(DROPPED_LINES, self._writer.dropped_lines)
        for write in self._further:
            write(self._recorder)
        if self._library.shared is not None:
            _refresh_shared(self._library.shared, self._recorder)

    def _count_lookups(self, recorder: Recorder) -> None:
        hits_s, misses_s = self._library.lookups.take()
        recorder.lookups(hits_s, is_hit=True)
        recorder.lookups(misses_s, is_hit=False)


def _refresh_shared(shared: SharedStore, recorder: Recorder) -> None:
    recorder.gauge(SHARED_UP, float(shared.connection.is_up))
    recorder.gauge(OPEN_BREAKERS, float(not shared.connection.is_up))
    recorder.counter(BREAKER_OPENINGS, shared.connection.openings)
    recorder.gauge(FEED_UP, float(shared.feed.is_up))
    recorder.counter(FEED_LOSSES, shared.feed.losses)
    for result in LOOKUPS:
        recorder.counter(SHARED_LOOKUPS, shared.lookups[result], result=result)
    recorder.counter(SHARED_WRITES, shared.writes, result="written")
    recorder.counter(SHARED_WRITES, shared.dropped, result="dropped")
    for reason in Reason:
        recorder.counter(REDIS_ERRORS, shared.connection.errors[reason], reason=reason.value)
    for command in COMMANDS:
        recorder.counter(REDIS_DENIED, shared.connection.denied[command], command=command)
    for kind in KINDS:
        recorder.counter(REDIS_UNVERIFIED, shared.feed.rejections.counts[kind], kind=kind)


def _count(batch: ResponseBatch, recorder: Recorder) -> None:
    by_class: Counter[int] = Counter()
    durations_s: defaultdict[tuple[Operation, ...], list[float]] = defaultdict(list)
    latencies_s: defaultdict[tuple[str, ServedFrom], list[float]] = defaultdict(list)
    for kind in batch.kinds:
        # Once for all histograms that get these: sorting sorted data again is fast.
        kind.latencies_s.sort()
        by_class[kind.status // 100] += len(kind.latencies_s)
        if kind.operations:
            durations_s[kind.operations] += kind.latencies_s
        for read in kind.reads:
            if isinstance(read, FailedRead):
                recorder.failures(read.reason, len(kind.latencies_s))
            else:
                latencies_s[read.info.type, served_from(read)] += kind.latencies_s
    recorder.responses(by_class, sum(batch.sizes))
    for operations, values_s in durations_s.items():
        for operation in operations:
            recorder.operations(operation, values_s)
    for (type_, origin), values_s in latencies_s.items():
        is_hit = origin in FROM_A_CACHE
        recorder.reads(type_, values_s, is_hit=is_hit, is_stale=origin is ServedFrom.STALE)
