"""Metrics of tracing itself: spans sent to the collector, and spans lost on the way."""

from __future__ import annotations

from choirbook.observe.metrics.metric import Kind, Label, Metric

SPANS_EXPORTED = "choirbook_trace_spans_exported_total"
SPANS_DROPPED = "choirbook_trace_spans_dropped_total"
TRACES_DROPPED = "choirbook_traces_dropped_total"
FAILING_EXPORTERS = "choirbook_trace_failing_exporters"

_WITH_TRACES = "Only where `OTEL_*` asks for traces. "
_EXPORTER = Label("exporter", ("console", "otlp"))

TRACES = {
    SPANS_EXPORTED: Metric(
        Kind.COUNTER,
        "Spans that a collector took.",
        _WITH_TRACES + "A traced hit has four spans.",
        "None, though requests are sampled: see `choirbook_trace_failing_exporters`.",
        (_EXPORTER,),
    ),
    SPANS_DROPPED: Metric(
        Kind.COUNTER,
        "Spans that were lost, by the reason.",
        _WITH_TRACES + "No request waits for its spans, so those that a collector does not take in time are "
        "lost: `queue_full` where too many waited for it, `export_failed` where it refused them or did not "
        "answer. What is left at the end of a server is not counted; the log tells of it.",
        "`export_failed`: the collector, or the way to it; the log on stderr has the reason. `queue_full`: "
        "sample fewer (`OTEL_TRACES_SAMPLER_ARG`), or raise `OTEL_BSP_MAX_QUEUE_SIZE`.",
        (_EXPORTER, Label("reason", ("queue_full", "export_failed"))),
    ),
    TRACES_DROPPED: Metric(
        Kind.COUNTER,
        "Requests that were to be traced and were not, as too many waited for their spans to be made.",
        _WITH_TRACES + "Spans are made when the event loop has time for it.",
        "Sample fewer (`OTEL_TRACES_SAMPLER_ARG`), or add workers.",
    ),
    FAILING_EXPORTERS: Metric(
        Kind.GAUGE,
        "Exporters of spans whose last delivery failed, of all workers together.",
        _WITH_TRACES + "Each worker has one for each place that its spans go to. It counts, too, where "
        "what it needs is not installed.",
        "Look at the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names; the log on stderr has the reason.",
        (_EXPORTER,),
    ),
}
