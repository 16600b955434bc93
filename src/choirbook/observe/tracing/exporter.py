"""Export of spans to OpenTelemetry: the only module that names it, imported only if traces are enabled.

The SDK's batch processor sends them on a thread of its own, from a bounded queue; spans that a collector does
not accept in time are dropped before that queue, which would drop them silently.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from time import monotonic, time_ns

from opentelemetry.context import Context as OtelContext
from opentelemetry.sdk.environment_variables import OTEL_BSP_MAX_QUEUE_SIZE
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from choirbook.observe.tracing.configuration import Exporter
from choirbook.observe.tracing.context import TraceContext
from choirbook.observe.tracing.export_counts import ExportCounts
from choirbook.observe.tracing.spans import Span

_NS = 1_000_000_000

_MAX_WAITING = 2048
"""Maximum number of queued spans, if the environment sets no valid number."""


class TraceExporter:
    """Connection to the collectors.

    Args:
        counts: Counts of spans, one object per exporter.
        version: Version of Choirbook.

    Raises:
        ImportError: The package for a protocol is not installed.
        ValueError: A variable of OpenTelemetry has a value that the SDK rejects.
    """

    def __init__(self, counts: Sequence[ExportCounts], version: str) -> None:
        self._ids = _GivenTraceIds()
        # The sampling decision was made long before a span is created, so all of these are kept.
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=_resource(version), id_generator=self._ids, shutdown_on_exit=False
        )
        self._exporters: list[_Counted] = []
        try:
            for each in counts:
                self._add(each)
        except BaseException:
            # The threads of exporters already created would wait for spans that never come.
            self._provider.shutdown()
            raise
        self._tracer = self._provider.get_tracer("choirbook", version)

    def send(self, span: Span, trace_id: int, parent: TraceContext | None) -> int:
        """Queue the spans of one request, and return the id of its own span; never waits.

        Args:
            span: Span of the request.
            trace_id: Id of a trace that begins here; otherwise the parent's.
            parent: Span of the caller; None if the trace begins here.
        """
        self._ids.trace_id = trace_id
        # An empty context: spans that an enclosing app has open belong to another request.
        context = OtelContext()
        if parent is not None:
            context = set_span_in_context(NonRecordingSpan(_remote(parent)), context)
        return self._make(span, context, time_ns() - int(monotonic() * _NS))

    async def close(self, deadline_s: float) -> bool:
        """Send what is left, waiting no longer than the deadline; then drop the rest.

        An exporter that waits to retry then ends at once, and so does a call over gRPC. A request over HTTP
        that is under way lasts until its own time-out, and is the last.

        Returns:
            Whether everything was sent, or dropped by the exporter itself.
        """
        loop = asyncio.get_running_loop()
        closed = asyncio.Event()

        def close() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop is closed, and nothing waits any more
                loop.call_soon_threadsafe(closed.set)

        # Not a thread of a pool: those are joined when the process ends, and a collector may block this one.
        Thread(target=close, name="choirbook-traces-close", daemon=True).start()
        try:
            async with asyncio.timeout(deadline_s):
                await closed.wait()
        except TimeoutError:
            return False
        finally:
            if not closed.is_set():
                Thread(target=self._give_up, name="choirbook-traces-give-up", daemon=True).start()
        return True

    def _add(self, counts: ExportCounts) -> None:
        exporter = _Counted(_make(counts.exporter), counts)
        counts.max_waiting = _max_waiting()
        self._provider.add_span_processor(_Bounded(exporter, counts))
        self._exporters.append(exporter)

    def _give_up(self) -> None:
        for exporter in self._exporters:
            exporter.shutdown()

    def _make(self, span: Span, context: OtelContext, unix_ns: int) -> int:
        made = self._tracer.start_span(
            span.name,
            context,
            SpanKind.SERVER if span.is_server else SpanKind.INTERNAL,
            span.attributes,
            start_time=unix_ns + int(span.start_s * _NS),
        )
        if span.error is not None:
            made.set_attribute("error.type", span.error)
            made.set_status(Status(StatusCode.ERROR))
        if span.children:
            inner = set_span_in_context(made, context)
            for child in span.children:
                self._make(child, inner, unix_ns)
        made.end(unix_ns + int(span.end_s * _NS))
        return made.get_span_context().span_id


class _GivenTraceIds(RandomIdGenerator):
    """Gives the next trace the id that its request was assigned when it was sampled."""

    trace_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id


class _Bounded(BatchSpanProcessor):
    """Sends spans in batches, and rejects those over the limit.

    It counts a span until the exporter has received it, so the SDK's queue is never full.
    """

    def __init__(self, exporter: SpanExporter, counts: ExportCounts) -> None:
        super().__init__(exporter, counts.max_waiting)
        self._counts = counts

    def on_end(self, span: ReadableSpan) -> None:
        if self._counts.admits():
            super().on_end(span)


class _Counted(SpanExporter):
    """Wraps another exporter, and reports the results.

    It may be shut down during an export, and repeatedly: the SDK does so by itself, but only after half a
    minute.
    """

    def __init__(self, exporter: SpanExporter, counts: ExportCounts) -> None:
        self._exporter = exporter
        self._counts = counts
        self._is_over = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._counts.take(len(spans))
        result = SpanExportResult.FAILURE
        try:
            # The SDK passes on what is queued, batch by batch, whatever the results.
            if not self._is_over:
                result = self._exporter.export(spans)
        finally:
            self._counts.settle(len(spans), is_exported=result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _max_waiting() -> int:
    """Return the value of `OTEL_BSP_MAX_QUEUE_SIZE`, as the SDK parses it."""
    try:
        return int(os.environ.get(OTEL_BSP_MAX_QUEUE_SIZE, _MAX_WAITING))
    except ValueError:
        return _MAX_WAITING


def _remote(parent: TraceContext) -> SpanContext:
    return SpanContext(
        parent.trace_id,
        parent.span_id,
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if parent.is_sampled else TraceFlags.DEFAULT),
        trace_state=TraceState.from_header([parent.state]) if parent.state else TraceState(),
    )


def _resource(version: str) -> Resource:
    """Return the environment's description of this service, with its own name as default."""
    given = Resource.create()
    own = {SERVICE_NAME: "choirbook", SERVICE_VERSION: version}
    if not str(given.attributes.get(SERVICE_NAME, "unknown_service")).startswith("unknown_service"):
        del own[SERVICE_NAME]
    if SERVICE_VERSION in given.attributes:
        del own[SERVICE_VERSION]
    return given.merge(Resource(own))


def _make(exporter: Exporter) -> SpanExporter:
    if exporter is Exporter.CONSOLE:
        return ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: f"{span.to_json(indent=None)}\n")
    if exporter is Exporter.OTLP_GRPC:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc

        return OverGrpc()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp

    return OverHttp()
