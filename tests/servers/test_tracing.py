"""Traces as a collector gets them, from both servers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers.conftest import Start
from tests.support.collector import (
    SERVER,
    Collector,
    SpanSeen,
    black_hole,
    collecting_grpc,
    collecting_http,
    tree,
)
from tests.support.servers import ERAS, Server, post, wait_for, write_library

CORE = "/mcp/resources/sdlc/core"
CORE_URI = "mcp://resources/sdlc/core"

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE_ID}-{SPAN_ID}-01"
UNSAMPLED = f"00-{TRACE_ID}-{SPAN_ID}-00"

MISS: dict[str, Any] = {
    "library.read": {"cache.memory": {}, "queue": {}, "source.read": {}, "render": {}},
    "send": {},
}
HIT: dict[str, Any] = {"library.read": {"cache.memory": {}}, "send": {}}

ONLY_CALLERS = {"OTEL_TRACES_SAMPLER": "parentbased_always_off", "CHOIRBOOK_TRACE_SLOW_S": "60"}
"""Takes what a caller takes, so that a test sees its own requests alone."""

Traced = Callable[..., AbstractContextManager[tuple[Collector, httpx.Client]]]


@pytest.fixture
def traced(start: Start, tmp_path: Path) -> Traced:
    """Start a server that sends its traces to a collector."""

    @contextmanager
    def traced(*, over: str = "http/protobuf", **variables: str) -> Iterator[tuple[Collector, httpx.Client]]:
        collecting = collecting_grpc() if over == "grpc" else collecting_http()
        with collecting as collector:
            exporting = {
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
                "OTEL_EXPORTER_OTLP_PROTOCOL": over,
                "OTEL_BSP_SCHEDULE_DELAY": "20",
            }
            library = write_library(tmp_path / "library")
            with (
                start(library, **(exporting | ONLY_CALLERS | variables)) as server,
                server.client() as client,
            ):
                yield collector, client

    return traced


def one_trace(collector: Collector) -> list[SpanSeen]:
    (spans,) = collector.wait_for_traces(1)
    return spans


@pytest.mark.parametrize("over", ["http/protobuf", "grpc"])
def test_a_get_is_one_trace_of_its_stages_below_its_caller(traced: Traced, over: str) -> None:
    with traced(over=over) as (collector, client):
        client.get(CORE, headers={"traceparent": SAMPLED, "tracestate": "rojo=1"})
        spans = one_trace(collector)

    request, read = spans[0], spans[1]
    assert tree(spans) == {"GET /mcp/resources/{path}": MISS}
    assert {span.trace_id for span in spans} == {TRACE_ID}
    assert (request.parent_id, request.kind, request.state) == (SPAN_ID, SERVER, "rojo=1")
    assert request.resource["service.name"] == "choirbook"
    assert request.attributes["http.response.status_code"] == 200
    assert read.attributes | {"choirbook.representation.size": 0} == {
        "mcp.resource.uri": CORE_URI,
        "choirbook.resource.type": "sdlc",
        "choirbook.resource.size": 2683,
        "choirbook.cache.result": "miss",
        "choirbook.representation.size": 0,
    }
    assert all(request.start_ns <= span.start_ns <= span.end_ns <= request.end_ns for span in spans)


def test_a_hit_is_a_trace_with_its_look_up(traced: Traced) -> None:
    with traced() as (collector, client):
        client.get(CORE)
        client.get(CORE, headers={"traceparent": SAMPLED})
        spans = one_trace(collector)

    assert tree(spans) == {"GET /mcp/resources/{path}": HIT}
    assert [span.attributes["choirbook.cache.result"] for span in spans if span.name == "library.read"] == [
        "hit"
    ]


@pytest.mark.parametrize("era", ERAS)
def test_a_read_over_mcp_is_one_trace_below_the_context_in_its_message(traced: Traced, era: str) -> None:
    with traced() as (collector, client):
        other = "00-11111111111111111111111111111111-2222222222222222-01"
        client.headers["traceparent"] = other
        post(client, era, "resources/read", uri=CORE_URI, _meta={"traceparent": SAMPLED})
        spans = one_trace(collector)

    request = spans[0]
    assert tree(spans) == {"resources/read": MISS}
    assert (request.trace_id, request.parent_id) == (TRACE_ID, SPAN_ID)
    assert request.attributes["mcp.method.name"] == "resources/read"
    assert request.attributes["mcp.resource.uri"] == CORE_URI
    assert request.attributes["choirbook.era"] == era


@pytest.mark.parametrize("era", ERAS)
def test_a_read_over_mcp_without_a_context_of_its_own_has_that_of_its_header(
    traced: Traced, era: str
) -> None:
    with traced() as (collector, client):
        client.headers["traceparent"] = SAMPLED
        post(client, era, "resources/read", uri=CORE_URI)
        post(client, era, "resources/read", uri=CORE_URI)
        spans = wait_for(lambda: collector.spans if len(collector.spans) >= 10 else None, "both traces")

    assert {span.trace_id for span in spans} == {TRACE_ID}
    assert [span.attributes["choirbook.cache.result"] for span in spans if span.name == "library.read"] == [
        "miss",
        "hit",
    ]


MALFORMED = ["", "nonsense", f"00-{TRACE_ID}-{'0' * 16}-01", f"{SAMPLED}-more", "é" * 4000]


def test_a_malformed_traceparent_begins_a_new_trace(traced: Traced) -> None:
    with traced(OTEL_TRACES_SAMPLER="parentbased_always_on") as (collector, client):
        for value in MALFORMED:
            assert client.get(CORE, headers={b"traceparent": value.encode()}).status_code == 200
        reads = wait_for(lambda: _reads(collector, len(MALFORMED)), "the traces")

    assert len({span.trace_id for span in reads} - {TRACE_ID}) == len(MALFORMED)
    assert {span.parent_id for span in collector.spans if span.kind == SERVER} == {""}


def test_a_malformed_traceparent_in_a_message_begins_a_new_trace(traced: Traced) -> None:
    with traced(OTEL_TRACES_SAMPLER="parentbased_always_on") as (collector, client):
        values = [*MALFORMED, 1, None, {"a": 1}, ["x"]]
        for era in ERAS:
            for value in values:
                answer = post(client, era, "resources/read", uri=CORE_URI, _meta={"traceparent": value})
                assert "result" in answer.json()
        reads = wait_for(lambda: _reads(collector, 2 * len(values)), "the traces")

    assert len({span.trace_id for span in reads} - {TRACE_ID}) == 2 * len(values)
    assert {span.parent_id for span in collector.spans if span.kind == SERVER} == {""}


def _reads(collector: Collector, count: int) -> list[SpanSeen] | None:
    found = [span for span in collector.spans if span.name == "library.read"]
    return found if len(found) >= count else None


def test_what_nobody_samples_makes_no_span(traced: Traced) -> None:
    with traced() as (collector, client):
        client.get(CORE)
        client.get(CORE, headers={"traceparent": UNSAMPLED})
        for era in ERAS:
            post(client, era, "resources/read", uri=CORE_URI)
        client.get(CORE, headers={"traceparent": SAMPLED})
        one_trace(collector)

    assert sum(span.kind == SERVER for span in collector.spans) == 1


def test_what_is_slow_is_kept_below_its_caller_though_nobody_samples_it(traced: Traced) -> None:
    with traced(CHOIRBOOK_TRACE_SLOW_S="0.000001") as (collector, client):
        client.get(CORE, headers={"traceparent": UNSAMPLED})
        spans = wait_for(lambda: collector.traces().get(TRACE_ID), "the trace")

    assert tree(spans) == {"GET /mcp/resources/{path}": MISS}
    assert spans[0].parent_id == SPAN_ID


def test_a_read_that_failed_says_why(traced: Traced) -> None:
    with traced() as (collector, client):
        client.headers["traceparent"] = SAMPLED
        client.get("/mcp/resources/sdlc/nothing")
        spans = one_trace(collector)

    request, read = spans[0], spans[1]
    assert (request.attributes["http.response.status_code"], request.failed) == (404, False)
    assert (read.attributes["error.type"], read.failed) == ("ResourceNotFound", True)


def test_the_standard_switch_turns_traces_off(traced: Traced) -> None:
    with traced(OTEL_SDK_DISABLED="true") as (collector, client):
        client.get(CORE, headers={"traceparent": SAMPLED})
    assert collector.spans == []


def test_what_is_left_is_sent_at_the_end(traced: Traced) -> None:
    with traced(OTEL_BSP_SCHEDULE_DELAY="60000") as (collector, client):
        client.get(CORE, headers={"traceparent": SAMPLED})
        assert collector.spans == []
    assert tree(collector.spans) == {"GET /mcp/resources/{path}": MISS}


@pytest.mark.parametrize("over", ["http/protobuf", "grpc"])
def test_a_collector_that_swallows_everything_holds_neither_requests_nor_the_exit(
    start: Start, tmp_path: Path, over: str
) -> None:
    with black_hole() as url:
        _no_collector(start, tmp_path, url, over)


@pytest.mark.parametrize("over", ["http/protobuf", "grpc"])
def test_a_collector_that_is_not_there_holds_neither_requests_nor_the_exit(
    start: Start, tmp_path: Path, over: str
) -> None:
    _no_collector(start, tmp_path, "http://127.0.0.1:9", over)


def _no_collector(start: Start, tmp_path: Path, url: str, over: str) -> None:
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": over,
        "OTEL_BSP_SCHEDULE_DELAY": "10",
        "OTEL_BSP_MAX_QUEUE_SIZE": "64",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "16",
    }
    with start(write_library(tmp_path / "library"), **variables) as server, server.client() as client:
        for _ in range(200):
            assert client.get(CORE).status_code == 200
        assert client.get("/healthz").status_code == 200
        os.kill(server.process.pid, signal.SIGTERM)
        assert _ends_in_time(server)


def _ends_in_time(server: Server) -> bool:
    """Tell whether a server ends before a supervisor would kill it."""
    end_s = time.monotonic() + 8.0
    wait_for(lambda: server.process.poll() is not None, "the server ends")
    return time.monotonic() < end_s
