"""Metrics of tracing itself: spans sent to the collector, and spans lost on the way."""

from __future__ import annotations

from choirbook.observe.metrics.metric import Label, Metric, MetricKind

SPANS_EXPORTED = "choirbook_trace_spans_exported_total"
SPANS_DROPPED = "choirbook_trace_spans_dropped_total"
TRACES_DROPPED = "choirbook_traces_dropped_total"
FAILING_EXPORTERS = "choirbook_trace_failing_exporters"

_WITH_TRACES = "Only if `OTEL_*` switches tracing on. "
_EXPORTER = Label("exporter", ("console", "otlp"))

TRACES = {
    SPANS_EXPORTED: Metric(
        MetricKind.COUNTER,
        "Spans that a collector accepted.",
        _WITH_TRACES + "A traced hit has four spans.",
        "If it stays 0 while requests are sampled, see `choirbook_trace_failing_exporters`.",
        (_EXPORTER,),
    ),
    SPANS_DROPPED: Metric(
        MetricKind.COUNTER,
        "Spans that were dropped, by reason.",
        _WITH_TRACES
        + "No request waits for its spans, so Choirbook drops those that a collector does not accept "
        "in time: `queue_full` if too many were queued, `export_failed` if the collector refused them or did "
        "not respond. Spans left over when the server stops are logged, not counted.",
        "`export_failed`: check the collector and the network; the log on stderr has the reason. "
        "`queue_full`: sample fewer requests (`OTEL_TRACES_SAMPLER_ARG`), or raise "
        "`OTEL_BSP_MAX_QUEUE_SIZE`.",
        (_EXPORTER, Label("reason", ("queue_full", "export_failed"))),
    ),
    TRACES_DROPPED: Metric(
        MetricKind.COUNTER,
        "Sampled requests without a trace, because too many waited for their spans to be made.",
        _WITH_TRACES + "Choirbook makes spans when the event loop is idle.",
        "Sample fewer requests (`OTEL_TRACES_SAMPLER_ARG`), or add workers.",
    ),
    FAILING_EXPORTERS: Metric(
        MetricKind.GAUGE,
        "Span exporters whose last delivery failed, over all workers.",
        _WITH_TRACES + "Each worker has one exporter per destination. An exporter whose packages are not "
        "installed counts as failing.",
        "Check the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names; the log on stderr has the reason.",
        (_EXPORTER,),
    ),
}
