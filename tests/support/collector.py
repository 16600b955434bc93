"""A real collector of traces: takes OTLP over HTTP and gRPC, and keeps what came."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

from tests.support.servers import wait_for


@dataclass(frozen=True)
class SpanSeen:
    """A span as it came."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    failed: bool
    state: str
    resource: dict[str, Any]


@dataclass
class Collector:
    """Spans received by a collector, and its address."""

    url: str = ""
    spans: list[SpanSeen] = field(default_factory=list)
    refuses: bool = False
    """Whether it takes nothing; over HTTP only."""
    gate: threading.Event = field(default_factory=threading.Event)
    """Closed, it answers nobody; over HTTP only."""

    def __post_init__(self) -> None:
        self.gate.set()

    def traces(self) -> dict[str, list[SpanSeen]]:
        """Return the spans by their traces, in the order of their beginning."""
        found: dict[str, list[SpanSeen]] = {}
        for span in sorted(self.spans, key=lambda span: (span.start_ns, -span.end_ns)):
            found.setdefault(span.trace_id, []).append(span)
        return found

    def wait_for_traces(self, count: int) -> list[list[SpanSeen]]:
        """Wait until the spans of so many requests are there; returns them by trace."""
        wait_for(lambda: sum(span.kind == SERVER for span in self.spans) >= count, f"{count} traces")
        return list(self.traces().values())

    def take(self, request: ExportTraceServiceRequest) -> None:
        """Keep what was sent."""
        for of_resource in request.resource_spans:
            resource = _values(of_resource.resource.attributes)
            for scope in of_resource.scope_spans:
                self.spans += [_seen(span, resource) for span in scope.spans]


SERVER = 2
"""The kind of a span that is of a request (OTLP)."""


def tree(spans: list[SpanSeen]) -> dict[str, Any]:
    """Return the names of one trace's spans, those of inner ones within those of outer ones."""
    ids = {span.span_id for span in spans}

    def within(parent_ids: set[str]) -> dict[str, Any]:
        return {span.name: within({span.span_id}) for span in spans if span.parent_id in parent_ids}

    return within({span.parent_id for span in spans} - ids)


@contextmanager
def collecting_http() -> Iterator[Collector]:
    """Collect over HTTP."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            collector.gate.wait()
            # 400 is final: an exporter does not try again (OTLP, "Failures").
            if not collector.refuses:
                collector.take(ExportTraceServiceRequest.FromString(body))
            self.send_response(400 if collector.refuses else 200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        yield collector
    finally:
        collector.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Service(TraceServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def Export(self, request: ExportTraceServiceRequest, _: Any) -> ExportTraceServiceResponse:  # noqa: N802
        self._collector.take(request)
        return ExportTraceServiceResponse()


@contextmanager
def collecting_grpc() -> Iterator[Collector]:
    """Collect over gRPC."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    add_TraceServiceServicer_to_server(_Service(collector), server)
    collector.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()


@contextmanager
def black_hole() -> Iterator[str]:
    """Give the URL of a collector that accepts connections, and never reads nor answers."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=16)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def _seen(span: Any, resource: dict[str, Any]) -> SpanSeen:
    return SpanSeen(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        span.kind,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        _values(span.attributes),
        span.status.code == span.status.STATUS_CODE_ERROR,
        span.trace_state,
        resource,
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
