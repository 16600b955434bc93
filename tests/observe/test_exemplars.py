"""Records of exemplars: read as they were written, by any process, or not at all."""

import mmap
import multiprocessing
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics

from choirbook.http.exchange import Operation
from choirbook.http.negotiation import Exposition
from choirbook.observe.exemplars import RECORD_BYTES, RECORD_WORDS, Exemplar, ExemplarRecords
from choirbook.observe.exposition import exposition
from choirbook.observe.metrics import BUCKETS_S, LOADING, OPERATION_BUCKETS_S, OPERATIONS
from choirbook.observe.recorder import Recorder
from choirbook.observe.shared_metrics import SharedMetrics
from tests.support.apps import Served, serving
from tests.support.collector import SERVER, collecting_http
from tests.support.mcp import modern
from tests.support.waiting import eventually

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")

TRACE_ID, SPAN_ID = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
ONE = Exemplar(TRACE_ID, SPAN_ID, 0.0004, 1764171600.25)
CORE = "/mcp/resources/sdlc/core"
OPENMETRICS = "application/openmetrics-text"
MAX_CHARACTERS = 128
"""Maximum length of names and values of an exemplar's labels together (OpenMetrics 1.0.0, "Exemplars")."""


@dataclass(frozen=True)
class Shown:
    """An exemplar as it is told."""

    labels: dict[str, str]
    value: float
    at_s: float
    below: float
    """The bound of its bucket."""


def records(count: int = 4) -> tuple[ExemplarRecords, memoryview]:
    memory = memoryview(mmap.mmap(-1, count * RECORD_BYTES))
    return ExemplarRecords(memory), memory


def told(text: str, metric: str = LOADING) -> list[Shown]:
    """Return what a strict parser finds."""
    families = openmetrics.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    return [
        Shown(
            sample.exemplar.labels,
            sample.exemplar.value,
            float(sample.exemplar.timestamp),
            float(sample.labels["le"]),
        )
        for family in families
        for sample in family.samples
        if family.name == metric and sample.exemplar is not None
    ]


@given(
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**64 - 1),
    st.floats(0, 1e9),
    st.floats(0, 1e12),
    st.integers(1, 3),
)
def test_what_was_written_is_read(trace_id: int, span_id: int, value: float, at_s: float, index: int) -> None:
    kept, _ = records()
    before = kept.are_used, kept.read(index)
    for written in (ONE, Exemplar(trace_id, span_id, value, at_s)):
        kept.write(index, written)
        assert kept.read(index) == written
    assert (*before, kept.are_used) == (False, None, True)
    assert [kept.read(other) for other in {1, 2, 3} - {index}] == [None, None]


def test_a_record_whose_writer_was_killed_is_not_read_until_the_next_one_wrote_it() -> None:
    kept, memory = records()
    kept.write(1, ONE)
    memory.cast("Q")[RECORD_WORDS] += 1
    assert kept.read(1) is None
    kept.write(1, ONE._replace(value=2.0))
    assert kept.read(1) == ONE._replace(value=2.0)


@pytest.mark.parametrize("byte", range(8, 8 + 40))
def test_a_record_of_which_a_part_is_of_another_is_not_read(byte: int) -> None:
    kept, memory = records()
    kept.write(1, ONE)
    memory[RECORD_BYTES + byte] ^= 1
    assert kept.read(1) is None


def related(number: int) -> Exemplar:
    """Make an exemplar each part of which tells of which one it is."""
    return Exemplar(number << 64 | number, number, float(number), float(number))


@contextmanager
def written_all_the_time(kept: ExemplarRecords) -> Iterator[None]:
    context = multiprocessing.get_context("fork")
    is_over: Event = context.Event()

    def write() -> None:
        number = 0
        while not is_over.is_set():
            for _ in range(500):
                number += 1
                kept.write(1, related(number))

    writer = context.Process(target=write)
    writer.start()
    try:
        yield
    finally:
        is_over.set()
        writer.join(30)
    assert writer.exitcode == 0


def test_no_reader_gets_half_of_one_and_half_of_another() -> None:
    kept, _ = records()
    kept.write(1, related(1))
    seen: set[int] = set()
    with written_all_the_time(kept):
        while len(seen) < 2000:
            found = kept.read(1)
            if found is not None:
                assert found == related(found.span_id)
                seen.add(found.span_id)


def test_an_exemplar_is_in_the_bucket_that_its_value_fell_into() -> None:
    cells = SharedMetrics()
    recorder = Recorder(cells.claim(), ["sdlc"], [Operation("resources/read")])
    values = (*BUCKETS_S, 0.00011, 7.0)
    for number, value in enumerate(values, start=1):
        recorder.reads("sdlc", [value], is_hit=False)
        recorder.exemplify_read("sdlc", Exemplar(number, 1, value, 5.0), is_hit=False)
        recorder.operations(Operation("resources/read"), [value])
        recorder.exemplify_operation(Operation("resources/read"), Exemplar(number, 1, value, 5.0))
    text = exposition(cells, Exposition.OPENMETRICS).decode()
    for metric, bounds in ((LOADING, BUCKETS_S), (OPERATIONS, OPERATION_BUCKETS_S)):
        found = told(text, metric)
        assert len(found) >= len(BUCKETS_S)
        for each in found:
            lower = max((bound for bound in bounds if bound < each.below), default=0.0)
            assert lower < each.value <= each.below
    assert {each.value for each in told(text)} == {*BUCKETS_S[:1], 0.00011, *BUCKETS_S[2:], 7.0}


def test_an_exemplar_has_ids_a_value_and_a_time_and_is_as_short_as_it_has_to_be() -> None:
    cells = SharedMetrics()
    recorder = Recorder(cells.claim(), ["sdlc"])
    recorder.reads("sdlc", [ONE.value], is_hit=True)
    recorder.exemplify_read("sdlc", ONE, is_hit=True)
    (shown,) = told(exposition(cells, Exposition.OPENMETRICS).decode())
    assert shown.labels == {"trace_id": f"{TRACE_ID:032x}", "span_id": f"{SPAN_ID:016x}"}
    assert (shown.value, shown.at_s, shown.below) == (ONE.value, ONE.at_s, 0.0005)
    assert sum(len(name) + len(value) for name, value in shown.labels.items()) <= MAX_CHARACTERS
    assert " # {" not in exposition(cells, Exposition.TEXT).decode()


def test_of_all_workers_the_latest_is_shown_be_its_worker_dead() -> None:
    cells = SharedMetrics(workers=2)
    recorder = Recorder(cells.claim(), ["sdlc"])

    def work() -> None:
        other = Recorder(cells.claim(), ["sdlc"])
        other.reads("sdlc", [0.0004, 0.002], is_hit=True)
        other.exemplify_read("sdlc", ONE._replace(at_s=ONE.at_s + 1, trace_id=2), is_hit=True)
        other.exemplify_read("sdlc", ONE._replace(at_s=ONE.at_s - 1, trace_id=4, value=0.002), is_hit=True)

    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    worker.join(30)
    assert worker.exitcode == 0
    recorder.reads("sdlc", [0.0004, 0.002], is_hit=True)
    recorder.exemplify_read("sdlc", ONE._replace(trace_id=1), is_hit=True)
    recorder.exemplify_read("sdlc", ONE._replace(trace_id=3, value=0.002), is_hit=True)
    found = told(exposition(cells, Exposition.OPENMETRICS).decode())
    assert [int(each.labels["trace_id"], 16) for each in found] == [2, 3]


async def scraped(served: Served, metric: str = LOADING) -> list[Shown]:
    return told((await served.get("/metrics", accept=OPENMETRICS)).text, metric)


async def test_a_traced_read_is_named_by_the_trace_and_the_span_that_the_collector_has(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting_http() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
        async with serving(library, trace_slow_s=60.0) as served:
            await served.get(CORE)
            assert await scraped(served) == []
            await served.get(CORE, traceparent=f"00-{TRACE_ID:032x}-{SPAN_ID:016x}-01")
            (shown,) = await eventually(lambda: scraped(served))
            assert await scraped(served, OPERATIONS) == []
        (span,) = [span for span in collector.spans if span.kind == SERVER]
    assert shown.labels == {"trace_id": span.trace_id, "span_id": span.span_id}
    assert span.trace_id == f"{TRACE_ID:032x}"
    assert shown.value == pytest.approx((span.end_ns - span.start_ns) / 1e9, abs=1e-5)
    assert shown.at_s == pytest.approx(span.end_ns / 1e9, abs=0.1)


async def test_a_traced_message_names_its_trace_in_both_histograms(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting_http() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        async with serving(library) as served:
            await modern(served, "resources/read", uri="mcp://resources/sdlc/core")
            (of_read,) = await eventually(lambda: scraped(served))
            (of_message,) = await scraped(served, OPERATIONS)
    assert of_read.labels == of_message.labels
    assert re.fullmatch("[0-9a-f]{32}", of_read.labels["trace_id"])
