"""Fate of spans, in a server's metrics and at a real collector."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest
from prometheus_client.parser import text_string_to_metric_families

from choirbook.observe.tracing.configuration import Exporter
from choirbook.observe.tracing.export_counts import ExportCounts
from tests.support.apps import Served, serving
from tests.support.collector import collecting_http
from tests.support.waiting import eventually

CORE = "/mcp/resources/sdlc/core"
SPANS_OF_A_HIT = 4
EXPORTED = "choirbook_trace_spans_exported_total"
DROPPED = "choirbook_trace_spans_dropped_total"
FAILING = "choirbook_trace_failing_exporters"

Trace = Callable[..., None]


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch) -> Trace:
    """Send a server's traces to a collector."""

    def set_(url: str, **variables: str) -> None:
        for name in ("OTEL_TRACES_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_SDK_DISABLED"):
            monkeypatch.delenv(name, raising=False)
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "20"}
        for name, value in {**told, **variables}.items():
            monkeypatch.setenv(name, value)

    return set_


async def shown(served: Served) -> dict[tuple[str, str], float]:
    """Return the figures of traces, by name and reason, as they are now."""
    return {
        (sample.name, sample.labels.get("reason", "")): sample.value
        for family in text_string_to_metric_families(await served.metrics())
        for sample in family.samples
        if sample.name.startswith("choirbook_trace")
    }


def test_as_many_wait_as_may_and_room_is_made_by_those_that_are_taken() -> None:
    outflow = ExportCounts(Exporter.OTLP_HTTP)
    outflow.max_waiting = 2
    assert [outflow.admits() for _ in range(3)] == [True, True, False]
    outflow.take(1)
    assert [outflow.admits() for _ in range(2)] == [True, False]
    outflow.settle(1, is_exported=False)
    assert (outflow.turned_away, outflow.failed, outflow.exported, outflow.is_failing) == (2, 1, 0, True)
    outflow.take(2)
    outflow.settle(2, is_exported=True)
    assert (outflow.failed, outflow.exported, outflow.is_failing) == (1, 2, False)


def test_no_span_is_lost_from_the_count_while_two_threads_count() -> None:
    outflow = ExportCounts(Exporter.OTLP_HTTP)
    outflow.max_waiting = 64
    admitted, at_once = 0, 32
    is_over = Event()

    def export() -> None:
        while not (is_over.is_set() and outflow.exported == admitted):
            spans = min(at_once, admitted - outflow.exported)
            outflow.take(spans)
            outflow.settle(spans, is_exported=True)

    exporter = Thread(target=export)
    exporter.start()
    offered = 50_000
    for _ in range(offered):
        admitted += outflow.admits()
        # What waits, and what is in the exporter's hands.
        assert admitted - outflow.exported <= outflow.max_waiting + at_once
    is_over.set()
    exporter.join()
    assert outflow.exported + outflow.turned_away == offered


async def test_what_a_collector_took_is_what_the_figures_say(library: Path, trace: Trace) -> None:
    with collecting_http() as collector:
        trace(collector.url)
        async with serving(library) as served:
            for _ in range(3):
                await served.get(CORE)
            await eventually(lambda: len(collector.spans) >= 3 * SPANS_OF_A_HIT)
            figures = await eventually(lambda: settled(served))
            assert figures[EXPORTED, ""] >= 3 * SPANS_OF_A_HIT
            assert figures[DROPPED, "queue_full"] == figures[DROPPED, "export_failed"] == 0
            assert figures[FAILING, ""] == 0
        assert len(collector.spans) >= figures[EXPORTED, ""]


async def settled(served: Served) -> dict[tuple[str, str], float]:
    figures = await shown(served)
    return figures if figures[EXPORTED, ""] >= 3 * SPANS_OF_A_HIT else {}


async def test_a_collector_that_refuses_shows_until_it_takes_them_again(library: Path, trace: Trace) -> None:
    with collecting_http() as collector:
        trace(collector.url)
        collector.refuses = True
        async with serving(library) as served:
            await served.get(CORE)
            await eventually(lambda: reaches(served, (FAILING, ""), 1.0))
            figures = await shown(served)
            assert figures[DROPPED, "export_failed"] > 0
            assert figures[EXPORTED, ""] == 0
            collector.refuses = False
            await served.get(CORE)
            await eventually(lambda: reaches(served, (FAILING, ""), 0.0))
            assert (await shown(served))[EXPORTED, ""] > 0


async def reaches(served: Served, key: tuple[str, str], value: float) -> bool:
    return (await shown(served))[key] == value


async def test_behind_a_collector_that_does_not_answer_the_surplus_is_counted(
    library: Path, trace: Trace, caplog: pytest.LogCaptureFixture
) -> None:
    with collecting_http() as collector:
        collector.gate.clear()
        trace(collector.url, OTEL_BSP_MAX_QUEUE_SIZE="8", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="8")
        async with serving(library) as served:
            tracing = served.app.tracing
            assert tracing is not None
            for _ in range(20):
                await served.get(CORE)
            await eventually(lambda: tracing.made >= 20)
            lost = (await shown(served))[DROPPED, "queue_full"]
            # Eight are in the exporter's hands at most, and eight wait.
            assert lost >= 20 * SPANS_OF_A_HIT - 16
            assert "Queue full" not in caplog.text
            collector.gate.set()


async def test_traces_that_cannot_be_sent_at_all_count_as_failing(library: Path, trace: Trace) -> None:
    trace("http://127.0.0.1:9", OTEL_BSP_MAX_QUEUE_SIZE="-1")
    async with serving(library) as served:
        await asyncio.sleep(0)
        assert (await shown(served))[FAILING, ""] == 1
