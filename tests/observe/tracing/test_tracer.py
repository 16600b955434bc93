"""Traces of an app in this process: what they cost others, and their bounds."""

import asyncio
from pathlib import Path

import pytest

from choirbook.http.exchange import Request, Response
from choirbook.observe.batch import Sent
from choirbook.observe.tracing.tracer import AT_ONCE, MAX_WAITING, MAX_WAITING_BYTES, Tracer
from tests.support.apps import serving
from tests.support.batches import batch_of
from tests.support.collector import black_hole, collecting_http
from tests.support.sources import SlowSource
from tests.support.waiting import eventually

CORE = "/mcp/resources/sdlc/core"


class Fields(dict[str, str]):
    """Headers."""

    def get_all(self, name: str) -> list[str]:
        return [self[name]] if name in self else []


def take(tracing: Tracer, batch: list[Sent]) -> None:
    tracing.take(batch_of(batch))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_EXPORTER", "OTEL_TRACES_SAMPLER"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


async def test_an_unsampled_answer_is_the_one_that_was_made(
    library: Path, environment: pytest.MonkeyPatch
) -> None:
    with black_hole() as url:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        environment.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
        async with serving(library) as served:
            miss = served.app.respond(Request("GET", CORE, "", Fields()))
            assert not isinstance(miss, Response)
            unmarked = [await miss, served.app.respond(Request("GET", CORE, "", Fields()))]
            assert [each.mark for each in unmarked if isinstance(each, Response)] == [None, None]
            context = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
            marked = served.app.respond(Request("GET", CORE, "", Fields(context)))
            assert isinstance(marked, Response)
            assert marked.mark is not None
            assert marked.mark.trace_id == 0x0AF7651916CD43DD8448EB211C80319C


async def test_every_reader_who_waits_for_a_load_has_its_stages_in_a_trace_of_its_own(
    library: Path, environment: pytest.MonkeyPatch
) -> None:
    source = SlowSource(library)
    with collecting_http() as collector:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        async with serving(library, source=source) as served:
            readers = [asyncio.create_task(served.get(CORE)) for _ in range(3)]
            await eventually(lambda: source.reads == 1)
            source.gate.set()
            await asyncio.gather(*readers)
    traces = collector.traces().values()
    assert len(traces) == 3
    assert [sum(span.name == "source.read" for span in spans) for spans in traces] == [1, 1, 1]


async def test_what_comes_too_fast_is_dropped_and_nobody_waits(
    library: Path, environment: pytest.MonkeyPatch
) -> None:
    with black_hole() as url:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        async with serving(library) as served:
            tracing = served.app.tracing
            assert tracing is not None
            slow = Sent(200, 0, (), (), None, 0.0, 60.0)
            take(tracing, [slow] * (MAX_WAITING + 10))
            assert (tracing.made, tracing.dropped) == (0, 10)
            await asyncio.sleep(0)
            assert tracing.made == AT_ONCE
            await eventually(lambda: tracing.made == MAX_WAITING)
            long = Sent(200, MAX_WAITING_BYTES // 2, (), (), None, 0.0, 60.0)
            take(tracing, [long] * 3)
            assert tracing.dropped == 11
            await eventually(lambda: tracing.made == MAX_WAITING + 2)
            take(tracing, [long] * 3)
            assert tracing.dropped == 12


async def test_a_variable_that_opentelemetry_refuses_is_told_and_reads_go_on(
    library: Path, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    environment.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    async with serving(library) as served:
        assert (await served.get(CORE)).status_code == 200
    assert "OTEL_* asks for traces, but none will be sent" in caplog.text
