"""End of exporting: everything is sent if the collector accepts it, and otherwise dropped soon."""

import asyncio
import threading
import time
from contextlib import ExitStack

import pytest

from choirbook.observe.tracing.configuration import Exporter
from choirbook.observe.tracing.export_counts import ExportCounts
from choirbook.observe.tracing.exporter import TraceExporter
from choirbook.observe.tracing.spans import Span
from tests.support.collector import black_hole, collecting_grpc, collecting_http
from tests.support.waiting import eventually

NOBODY = "http://127.0.0.1:9"
SPANS = 8
TIMEOUT_S = 1.0
"""Timeout of one call to a collector, in seconds."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Send each span separately, so that there is always more to send."""
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    return monkeypatch


async def sending(exporter: Exporter) -> tuple[TraceExporter, ExportCounts]:
    outflow = ExportCounts(exporter)
    exporting = await asyncio.to_thread(TraceExporter, [outflow], "1")
    now_s = time.monotonic()
    for number in range(1, SPANS + 1):
        exporting.send(Span("GET", now_s, now_s), number, None)
    return exporting, outflow


def is_over() -> bool:
    """Tell whether no thread sends anything any more, or waits to."""
    names = {thread.name for thread in threading.enumerate()}
    return not any(name.startswith(("OtelBatch", "choirbook-traces")) for name in names)


@pytest.mark.parametrize("exporter", [Exporter.OTLP_HTTP, Exporter.OTLP_GRPC])
async def test_what_is_left_is_sent(exporter: Exporter, environment: pytest.MonkeyPatch) -> None:
    with (collecting_http if exporter is Exporter.OTLP_HTTP else collecting_grpc)() as collector:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        exporting, outflow = await sending(exporter)
        assert await exporting.close(10.0)
        assert sorted(int(span.trace_id, 16) for span in collector.spans) == [*range(1, SPANS + 1)]
    assert (outflow.exported, outflow.failed) == (SPANS, 0)


@pytest.mark.parametrize(
    ("exporter", "takes_calls"),
    [(Exporter.OTLP_HTTP, False), (Exporter.OTLP_GRPC, False), (Exporter.OTLP_GRPC, True)],
)
async def test_what_nobody_takes_is_given_up_at_once(
    exporter: Exporter, *, takes_calls: bool, environment: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        environment.setenv(
            "OTEL_EXPORTER_OTLP_ENDPOINT", stack.enter_context(black_hole()) if takes_calls else NOBODY
        )
        exporting, outflow = await sending(exporter)
        assert not await exporting.close(0.1)
        # By itself the first call alone would go on for ten seconds.
        await eventually(is_over, deadline_s=5.0)
    assert (outflow.exported, outflow.failed) == (0, SPANS)


async def test_a_request_that_is_under_way_is_the_last(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", str(TIMEOUT_S))
    with black_hole() as url:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        exporting, outflow = await sending(Exporter.OTLP_HTTP)
        assert not await exporting.close(0.1)
        await eventually(is_over, deadline_s=(SPANS - 2) * TIMEOUT_S)
    assert (outflow.exported, outflow.failed) == (0, SPANS)


def test_where_one_exporter_cannot_be_made_no_other_waits_for_spans(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")
    with pytest.raises(ValueError, match="soon"):
        TraceExporter([ExportCounts(Exporter.CONSOLE), ExportCounts(Exporter.OTLP_GRPC)], "1")
    assert is_over()
