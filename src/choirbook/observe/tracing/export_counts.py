"""Counts of the spans of one exporter: queued, sent and lost.

Knows no OpenTelemetry. Two threads count, each in numbers of its own, so that no lock is needed: the event
loop counts spans that it queues, the exporter's thread those that it received.
"""

from __future__ import annotations

from choirbook.observe.metrics import FAILING_EXPORTERS, SPANS_DROPPED, SPANS_EXPORTED
from choirbook.observe.recorder import Recorder
from choirbook.observe.tracing.configuration import Exporter


class ExportCounts:
    """Span counters of one exporter.

    Args:
        exporter: The exporter.
    """

    def __init__(self, exporter: Exporter) -> None:
        self.exporter = exporter
        self.max_waiting = 0
        """Maximum number of queued spans."""
        self.exported = 0
        self.failed = 0
        """Number of spans that the exporter received, and could not deliver."""
        self.turned_away = 0
        """Number of spans rejected because the queue was full."""
        self.is_failing = False
        """Whether the last delivery failed, or there is no connection to the collector at all."""
        self._admitted = 0
        self._taken = 0

    def admits(self) -> bool:
        """Return whether one more span may be queued, and count it; on the event loop."""
        # `_taken` may be outdated by a moment: then fewer are queued than it seems, never more.
        if self._admitted - self._taken >= self.max_waiting:
            self.turned_away += 1
            return False
        self._admitted += 1
        return True

    def take(self, spans: int) -> None:
        """Record that the exporter has received spans; on its thread."""
        self._taken += spans

    def settle(self, spans: int, *, is_exported: bool) -> None:
        """Record the result of received spans; on the exporter's thread."""
        if is_exported:
            self.exported += spans
        else:
            self.failed += spans
        self.is_failing = not is_exported

    def record(self, recorder: Recorder) -> None:
        """Write the metrics of a worker."""
        name = self.exporter.label
        recorder.counter(SPANS_EXPORTED, self.exported, exporter=name)
        recorder.counter(SPANS_DROPPED, self.turned_away, exporter=name, reason="queue_full")
        recorder.counter(SPANS_DROPPED, self.failed, exporter=name, reason="export_failed")
        recorder.gauge(FAILING_EXPORTERS, float(self.is_failing), exporter=name)
