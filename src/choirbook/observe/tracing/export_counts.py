"""What becomes of the spans for one exporter: how many wait, how many left, how many were lost.

Knows no OpenTelemetry. Two threads count, each in numbers of its own, so that no lock is needed: the event
loop what it hands over, the exporter's thread what it took.
"""

from __future__ import annotations

from choirbook.observe.metrics import FAILING_EXPORTERS, SPANS_DROPPED, SPANS_EXPORTED
from choirbook.observe.recorder import Recorder
from choirbook.observe.tracing.configuration import Exporter


class Outflow:
    """The spans for one exporter.

    Args:
        exporter: Which.
    """

    def __init__(self, exporter: Exporter) -> None:
        self.exporter = exporter
        self.max_waiting = 0
        """Spans that may wait to be taken."""
        self.exported = 0
        self.failed = 0
        """Spans that the exporter took, and could not deliver."""
        self.turned_away = 0
        """Spans that found as many waiting as may."""
        self.is_failing = False
        """Whether the last delivery failed, or there is no way to the collector at all."""
        self._admitted = 0
        self._taken = 0

    def admits(self) -> bool:
        """Tell whether one more span may wait, and count it; on the event loop."""
        # `_taken` may be a moment old: then fewer wait than it seems, never more.
        if self._admitted - self._taken >= self.max_waiting:
            self.turned_away += 1
            return False
        self._admitted += 1
        return True

    def take(self, spans: int) -> None:
        """Note that the exporter has spans in hand; on its thread."""
        self._taken += spans

    def settle(self, spans: int, *, is_exported: bool) -> None:
        """Note what became of spans that were taken; on the exporter's thread."""
        if is_exported:
            self.exported += spans
        else:
            self.failed += spans
        self.is_failing = not is_exported

    def record(self, recorder: Recorder) -> None:
        """Write the figures of a worker."""
        name = self.exporter.label
        recorder.counter(SPANS_EXPORTED, self.exported, exporter=name)
        recorder.counter(SPANS_DROPPED, self.turned_away, exporter=name, reason="queue_full")
        recorder.counter(SPANS_DROPPED, self.failed, exporter=name, reason="export_failed")
        recorder.gauge(FAILING_EXPORTERS, float(self.is_failing), exporter=name)
