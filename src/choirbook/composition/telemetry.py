"""Observers of one worker, as configured by its settings and `OTEL_*`: metrics, log lines, traces, clients.

Disabled parts are not created: no read checks whether it is recorded.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from choirbook.http.exchange import Handler, Operation, RequestSource, Response
from choirbook.http.negotiation import Exposition
from choirbook.http.router import Router
from choirbook.http.server_timing import timed
from choirbook.library.library import Library
from choirbook.mcp.dispatch import CallHandler, Dispatcher
from choirbook.mcp.open_streams import OpenStreams
from choirbook.mcp.sessions.http import HttpSessions
from choirbook.observe.access_log import AccessLog
from choirbook.observe.exposition import exposition
from choirbook.observe.log_writer import LineWriter
from choirbook.observe.metrics import HITS, MISSES, STALE
from choirbook.observe.notification_counts import record_pushing
from choirbook.observe.observer import Observer
from choirbook.observe.operator_log import is_for_people
from choirbook.observe.recorder import Recorder
from choirbook.observe.refusals import record_quotas
from choirbook.observe.runtime_metrics import RuntimeMetrics
from choirbook.observe.shared_metrics import SharedMetrics
from choirbook.observe.totals import totals
from choirbook.observe.tracing.configuration import plan_of
from choirbook.observe.tracing.tracer import Tracer
from choirbook.observe.usage_attribution import UsageAttribution
from choirbook.runtime.quotas import Quotas
from choirbook.runtime.threads import Threads
from choirbook.settings import Settings
from choirbook.usage.ledger import UsageLedger

if TYPE_CHECKING:
    from choirbook.admin.responses import ReadCounts


class Telemetry:
    """Observes a worker, and reports.

    Args:
        settings: See `Settings`.
        version: Version of the server.
        library: Library that is read.
        usage: Records of reads and clients.
        threads: Run blocking calls.
        shared_metrics: Metrics cells, shared with the other workers.
        writer: Writes log lines.
    """

    def __init__(
        self,
        settings: Settings,
        version: str,
        library: Library,
        usage: UsageLedger,
        threads: Threads,
        shared_metrics: SharedMetrics,
        writer: LineWriter,
    ) -> None:
        self._settings = settings
        self._version = version
        self._library = library
        self._usage = usage
        self._threads = threads
        # A separate thread: while all threads of the library wait for a hanging source, metrics matter most.
        self._exposing = Threads(1)
        self._cells = shared_metrics
        self._plan = plan_of(os.environ)
        self.tracing: Tracer | None = None
        keeps_requests = settings.counts_clients or settings.log_request_ids
        log = _access_log(settings, writer)
        self.observer = Observer(log, library, writer, keeps_requests=keeps_requests)
        self._runtime_metrics = RuntimeMetrics(self.observer.refresh_gauges)
        self._has_figures = settings.metrics or bool(settings.dashboard)
        is_counted = self._has_figures or settings.usage is not None or settings.counts_clients
        is_reported = is_counted or settings.access_log or self._plan is not None
        # If nothing is reported, nothing is recorded: no read has to check.
        self.record = self.observer.record if is_reported else _pass_over

    def watch_clients(self, streams: OpenStreams, sessions: HttpSessions, quotas: Quotas) -> None:
        """Record clients and notifications, as far as enabled."""
        attribution = UsageAttribution(self._usage, sessions)
        take = attribution.take if self._settings.counts_clients else attribution.take_reads
        self.observer.also_batches(take)
        self.observer.also(partial(record_pushing, streams, sessions))
        self.observer.also(partial(record_quotas, quotas, sessions))

    def watch_answers(self, router: Router, dispatcher: Dispatcher) -> tuple[Handler, CallHandler]:
        """Return the observed handler of HTTP requests, and that of calls through a pipe."""
        respond: Handler = router.respond
        if self._settings.server_timing:
            respond = timed(respond)
        if self._plan is None:
            return respond, dispatcher
        slow_s, route_of = self._settings.trace_slow_s, router.route_of
        tracing = Tracer(self._plan, slow_s, self._library, self._threads, route_of, self._version)
        self.observer.also_batches(tracing.take)
        self.observer.also(tracing.record)
        self.tracing = tracing
        return tracing.before(respond), tracing.before_calls(dispatcher)

    async def start(self, operations: Iterable[Operation]) -> None:
        """Start to observe, on the running event loop.

        Args:
            operations: Operations of the protocol, as reported when they succeed.
        """
        recorder = None
        if self._has_figures:
            recorder = Recorder(self._cells.claim(), self._library.catalog.rules.types, tuple(operations))
            self.observer.start(recorder)
            self._runtime_metrics.start(recorder)
        if self.tracing is not None:
            await self.tracing.start(recorder)

    async def stop(self) -> None:
        """Process pending records, and stop observing."""
        self._runtime_metrics.stop()
        self.observer.stop()
        self._exposing.close()
        if self.tracing is not None:
            await self.tracing.stop()

    async def expose(self, format_: Exposition) -> bytes:
        """Return the metrics of all workers."""
        self._runtime_metrics.write()
        self.observer.flush()
        # It reads /proc.
        return await self._exposing.run(exposition, self._cells, format_)

    async def count(self) -> ReadCounts | None:
        """Return the number of reads of all workers by origin; None without metrics."""
        # Imported late, like the admin API, its only user.
        from choirbook.admin.responses import ReadCounts

        if not self._settings.metrics:
            return None
        # Not on the threads of the library, all of which may wait for a hanging source.
        found = await asyncio.to_thread(totals, self._cells)
        return ReadCounts(found[HITS], found[MISSES], found[STALE])


def _pass_over(_: Response, __: float, ___: RequestSource = None) -> None:
    """Ignore a response."""


def _access_log(settings: Settings, writer: LineWriter) -> AccessLog | None:
    if not settings.access_log:
        return None
    return AccessLog(
        writer,
        settings.log_hits,
        with_ids=settings.log_request_ids,
        for_people=is_for_people(settings.log_format),
    )
