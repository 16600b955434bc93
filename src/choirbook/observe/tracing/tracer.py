"""Traces of one worker: created from the observer's batches, a few at a time, and passed on for export."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from time import monotonic, time
from typing import TYPE_CHECKING

from choirbook.http.exchange import FailedRead, Handler
from choirbook.library.library import Library
from choirbook.mcp.dispatch import CallHandler, Dispatcher
from choirbook.observe.batch import FROM_A_CACHE, ResponseBatch, Sent, served_from
from choirbook.observe.exemplars import Exemplar
from choirbook.observe.metrics import TRACES_DROPPED
from choirbook.observe.recorder import Recorder
from choirbook.observe.tracing.configuration import TracingConfiguration
from choirbook.observe.tracing.export_counts import ExportCounts
from choirbook.observe.tracing.sampling import TraceNote, TraceSampler, new_trace_id
from choirbook.observe.tracing.spans import RouteOf, span_of
from choirbook.runtime.threads import Threads

if TYPE_CHECKING:
    from choirbook.observe.tracing.exporter import TraceExporter

log = logging.getLogger("choirbook.observe.tracing")

MAX_WAITING = 1024
"""Maximum number of requests whose spans are still to be created; further ones are dropped. A trace never
delays a request."""

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""Maximum size of their bodies in bytes, as what was read for them is held as long."""

AT_ONCE = 4
"""Number of requests whose spans are created before other tasks run: the spans of one take as long as some
hits."""

CLOSE_S = 2.0
"""Maximum time for the last spans to be sent, in seconds: a worker has eight seconds to stop, and more to
do."""


class Tracer:
    """Creates the traces that the environment configures.

    Args:
        plan: Configuration from the environment.
        slow_s: Requests that take longer are always traced.
        library: Library whose look-ups are timed.
        threads: Run blocking calls.
        route_of: See `RouteOf`.
        version: Version of Choirbook.
    """

    def __init__(
        self,
        plan: TracingConfiguration,
        slow_s: float,
        library: Library,
        threads: Threads,
        route_of: RouteOf,
        version: str,
    ) -> None:
        self._plan = plan
        self._slow_s = slow_s
        self._threads = threads
        self._version = version
        self._route_of = route_of
        self._sampler = TraceSampler(plan.sampling, slow_s, library.lookups, reads_context=plan.reads_context)
        self._export_counts = tuple(ExportCounts(exporter) for exporter in plan.exporters)
        self._exporter: TraceExporter | None = None
        self._recorder: Recorder | None = None
        self._waiting: deque[Sent] = deque()
        self._waiting_bytes = 0
        self._working = False
        self.made = 0
        """Number of requests traced since the start."""
        self.dropped = 0
        """Number of sampled requests that were dropped since the start."""

    def before(self, respond: Handler) -> Handler:
        """See `TraceSampler.before`."""
        return self._sampler.before(respond)

    def before_calls(self, calls: Dispatcher) -> CallHandler:
        """See `TraceSampler.before_calls`."""
        return self._sampler.before_calls(calls)

    async def start(self, recorder: Recorder | None) -> None:
        """Connect to the collectors, in the serving process; log the reason if that fails.

        Args:
            recorder: Records exemplars; None for none.
        """
        self._recorder = recorder
        for complaint in self._plan.complaints:
            log.warning("%s", complaint)
        try:
            self._exporter = await self._threads.run(self._open)
        except ImportError as error:
            log.warning(
                "OTEL_* asks for traces, but none will be sent: %s. Run: pip install 'choirbook[otel]'", error
            )
        except Exception as error:  # noqa: BLE001 - whatever OpenTelemetry makes of its variables, reads continue
            log.warning("OTEL_* asks for traces, but none will be sent: %s", error)
        else:
            return
        for counts in self._export_counts:
            counts.is_failing = True

    def _open(self) -> TraceExporter:
        # These imports take longer than the rest of startup, so only if traces are enabled.
        from choirbook.observe.tracing.exporter import TraceExporter

        return TraceExporter(self._export_counts, self._version)

    async def stop(self) -> None:
        """Send what is left, within `CLOSE_S`."""
        exporting, self._exporter = self._exporter, None
        if exporting is None:
            return
        while self._waiting:
            self._send_next(exporting)
        if not await exporting.close(CLOSE_S):
            log.warning("dropped the last traces: the collector did not accept them within %g s", CLOSE_S)

    def record(self, recorder: Recorder) -> None:
        """Write the tracing metrics of a worker; see `Observer.also`."""
        recorder.counter(TRACES_DROPPED, self.dropped)
        for counts in self._export_counts:
            counts.record(recorder)

    def take(self, batch: ResponseBatch) -> None:
        """Queue the requests of a batch that are to be traced; see `Observer.also_batches`."""
        slow_s = self._slow_s
        if self._exporter is None or not (batch.marks or max(batch.latencies_s) >= slow_s):
            return
        for place, latency_s in enumerate(batch.latencies_s):
            if place not in batch.marks and latency_s < slow_s:
                continue
            sent = batch.sent(place)
            size_bytes = sent.body_bytes
            if len(self._waiting) < MAX_WAITING and self._waiting_bytes + size_bytes <= MAX_WAITING_BYTES:
                self._waiting.append(sent)
                self._waiting_bytes += size_bytes
            else:
                self.dropped += 1
        if self._waiting and not self._working:
            self._working = True
            asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        exporting = self._exporter
        self._working = exporting is not None and len(self._waiting) > AT_ONCE
        if exporting is None:
            return
        for _ in range(min(AT_ONCE, len(self._waiting))):
            self._send_next(exporting)
        if self._working:
            asyncio.get_running_loop().call_soon(self._work)

    def _send_next(self, exporting: TraceExporter) -> None:
        sent = self._waiting.popleft()
        self._waiting_bytes -= sent.body_bytes
        span = span_of(sent, self._route_of)
        if isinstance(sent.mark, TraceNote):
            trace_id, context = sent.mark.trace_id, sent.mark.context
        else:
            trace_id, context = new_trace_id(), None
        span_id = exporting.send(span, trace_id, context)
        self.made += 1
        if self._recorder is not None:
            at_s = time() - monotonic() + sent.end_s
            _exemplify(sent, Exemplar(trace_id, span_id, sent.end_s - sent.start_s, at_s), self._recorder)


def _exemplify(sent: Sent, exemplar: Exemplar, recorder: Recorder) -> None:
    for operation in sent.operations:
        recorder.exemplify_operation(operation, exemplar)
    for read in sent.reads:
        if not isinstance(read, FailedRead):
            recorder.exemplify_read(read.info.type, exemplar, is_hit=served_from(read) in FROM_A_CACHE)
