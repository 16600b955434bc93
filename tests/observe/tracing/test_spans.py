"""Content of a request's spans; what a collector receives is in tests/servers/test_tracing.py."""

from typing import Any

import msgspec
import pytest
from opentelemetry.semconv._incubating.attributes import (
    gen_ai_attributes,
    jsonrpc_attributes,
    mcp_attributes,
    rpc_attributes,
)
from opentelemetry.semconv._incubating.attributes import http_attributes as http_incubating
from opentelemetry.semconv.attributes import (
    http_attributes,
    network_attributes,
    server_attributes,
    url_attributes,
    user_agent_attributes,
)

from choirbook.http.exchange import FailedRead, Operation, Read, Request, Revalidation
from choirbook.model import (
    Reading,
    Representation,
    ResourceInfo,
    ServedFrom,
    Stage,
    Version,
)
from choirbook.observe.batch import Sent
from choirbook.observe.tracing.sampling import TraceNote
from choirbook.observe.tracing.spans import Span, span_of
from tests.support.servers import message

URI = "mcp://resources/sdlc/core"
INFO = ResourceInfo(
    URI, URI, "sdlc-core.md", "core", "Core", "", "sdlc", "text/markdown", 20, 0, Version("1")
)
BYTES = Representation(b"x" * 30, '"e"', [], "d", [])
STAGES = (Stage("cache.memory", 11.0, 0.5), Stage("source.read", 12.0, 1.0), Stage("render", 13.0, 1.0))


class Fields(dict[str, str]):
    """Headers."""

    def get_all(self, name: str) -> list[str]:
        return [self[name]] if name in self else []


def response(status: int, *reads: Read, error: str | None = None) -> Sent:
    """Return what is noted of a response; to a message where it is told whether that failed."""
    operations = () if error is None else (Operation("any", error),)
    return Sent(status, 0, reads, operations, None, 10.0, 20.0)


def marked(sent: Sent, request: Request | None, source: bytes = b"", lookup_s: float | None = None) -> Sent:
    return msgspec.structs.replace(sent, mark=TraceNote(1, None, 19.0, request, source, lookup_s))


def route_of(path: str) -> str | None:
    return path if path in {"/mcp", "/mcp/search"} else None


def told(sent: Sent) -> Span:
    return span_of(sent, route_of)


def get(path: str = "/mcp/search", query: str = "", method: str = "GET", **headers: str) -> Request:
    return Request(method, path, query, Fields(headers))


def posted(body: bytes, **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "/mcp", "", Fields(named), body)


def call(era: str, method: str, **params: Any) -> bytes:
    return msgspec.json.encode(message(era, method, **params))


RESULT = response(200, error="")
REFUSED = response(200, error="-32602")


def test_names_of_attributes_are_those_of_the_conventions() -> None:
    headers = {"user-agent": "curl", "host": "choirbook.example:8000"}
    of_http = told(marked(response(500), get(query="q=x", method="INVENTED", **headers)))
    of_mcp = told(marked(RESULT, posted(call("modern", "resources/read", uri=URI))))
    of_tool = told(marked(RESULT, posted(call("modern", "tools/call", name="search"))))
    of_prompt = told(marked(RESULT, posted(call("modern", "prompts/get", name="prd"))))
    of_error = told(marked(REFUSED, posted(call("modern", "resources/read"))))
    known = {
        value
        for module in (
            gen_ai_attributes,
            http_attributes,
            http_incubating,
            jsonrpc_attributes,
            mcp_attributes,
            network_attributes,
            rpc_attributes,
            server_attributes,
            url_attributes,
            user_agent_attributes,
        )
        for name, value in vars(module).items()
        if name.isupper()
    }
    spans = [of_http, of_mcp, of_tool, of_prompt, of_error]
    used = {name for span in [*spans, *of_http.children] for name in span.attributes}
    assert {name for name in used if not name.startswith("choirbook.")} <= known
    assert len(used) > 15


def test_a_request_is_named_by_its_route_and_never_by_its_path() -> None:
    assert told(marked(response(200), get())).name == "GET /mcp/search"
    assert told(marked(response(404), get("/invented"))).name == "HTTP"
    assert told(marked(response(405), get(method="INVENTED"))).name == "HTTP /mcp/search"


def test_only_a_fault_of_the_server_is_a_failed_request() -> None:
    assert told(marked(response(404), get())).error is None
    assert told(marked(response(503), get())).error == "503"


@pytest.mark.parametrize(
    ("host", "address"),
    [("a.example:8000", "a.example"), ("a.example", "a.example"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]")],
)
def test_the_address_is_the_host_without_its_port(host: str, address: str) -> None:
    assert told(marked(response(200), get(host=host))).attributes["server.address"] == address


def test_what_a_client_wrote_is_shortened() -> None:
    long = "x" * 5000
    headers = {"user-agent": long, "host": long}
    span = told(marked(response(404), get(f"/{long}", long, method=long, **headers)))
    of_mcp = told(marked(RESULT, posted(call("handshake", f"invented/{long}", uri=long))))
    values = [*span.attributes.values(), *of_mcp.attributes.values(), span.name, of_mcp.name]
    assert max(len(value) for value in values if isinstance(value, str)) <= 256


def test_a_call_is_named_by_its_method_and_by_the_tool_or_prompt_that_there_is() -> None:
    no_method = response(404, error="-32601")
    failed = response(200, error="tool_error")
    tool = posted(call("handshake", "tools/call", name="search"))
    assert told(marked(RESULT, tool)).name == "tools/call search"
    assert told(marked(failed, tool)).name == "tools/call search"
    assert told(marked(REFUSED, tool)).name == "tools/call"
    assert told(marked(RESULT, posted(call("handshake", "resources/read", uri=URI)))).name == "resources/read"
    assert told(marked(no_method, posted(call("handshake", "invented/1")))).name == "_OTHER"


def test_an_error_of_the_protocol_or_of_a_tool_is_told() -> None:
    failed = response(200, error="tool_error")
    tool = posted(call("handshake", "tools/call", name="search"))
    span = told(marked(REFUSED, tool))
    assert (span.error, span.attributes["rpc.response.status_code"]) == ("-32602", "-32602")
    assert told(marked(failed, tool)).error == "tool_error"
    assert told(marked(RESULT, tool)).error is None


@pytest.mark.parametrize(
    ("era", "headers", "revision"),
    [
        ("modern", {}, "2026-07-28"),
        ("handshake", {"mcp_protocol_version": "2025-06-18"}, "2025-06-18"),
        ("handshake", {}, None),
    ],
)
def test_era_and_revision_are_told(era: str, headers: dict[str, str], revision: str | None) -> None:
    span = told(marked(RESULT, posted(call(era, "ping"), **headers)))
    assert span.attributes["choirbook.era"] == era
    assert span.attributes.get("mcp.protocol.version") == revision


def test_the_id_of_a_session_is_told_nobody() -> None:
    span = told(marked(RESULT, posted(call("handshake", "ping"), mcp_session_id="secret")))
    assert "secret" not in str(span)


def test_a_message_from_a_pipe_is_told_as_well() -> None:
    span = told(marked(RESULT, None, call("modern", "resources/read", uri=URI)))
    assert (span.name, span.attributes["network.transport"]) == ("resources/read", "pipe")
    assert "http.request.method" not in span.attributes


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b'{"jsonrpc":"2.0"}', b"\xff"])
def test_what_is_no_call_is_told_by_its_route(body: bytes) -> None:
    assert told(marked(response(400, error="-32600"), posted(body))).name == "POST /mcp"


def test_a_miss_has_its_stages_and_a_hit_its_look_up() -> None:
    miss = Reading(INFO, BYTES, ServedFrom.MISS, STAGES)
    read, send = told(marked(response(200, miss), get())).children
    assert (read.name, read.start_s, read.end_s) == ("library.read", 11.0, 14.0)
    assert [child.name for child in read.children] == ["cache.memory", "source.read", "render"]
    assert (send.start_s, send.end_s) == (19.0, 20.0)

    hit = Reading(INFO, BYTES, ServedFrom.HIT)
    read, _ = told(marked(response(200, hit), get(), lookup_s=0.25)).children
    assert (read.start_s, read.end_s) == (18.75, 19.0)
    assert [(child.name, child.start_s) for child in read.children] == [("cache.memory", 18.75)]


def test_a_load_that_began_before_the_request_was_anothers() -> None:
    stages = (Stage("cache.memory", 11.0, 0.1), Stage("source.read", 9.0, 3.0))
    reading = Reading(INFO, BYTES, ServedFrom.MISS, stages)
    read, _ = told(marked(response(200, reading), get())).children
    assert [child.attributes for child in read.children] == [{}, {"choirbook.load.joined": True}]


def test_a_revalidation_is_a_hit_and_a_failure_has_its_reason() -> None:
    read, _ = told(marked(response(304, Revalidation(INFO)), get())).children
    assert read.attributes["choirbook.cache.result"] == "hit"
    assert read.attributes["choirbook.read.revalidated"] is True
    read, _ = told(marked(response(404, FailedRead(URI, "ResourceNotFound")), get())).children
    assert (read.error, read.attributes["choirbook.cache.result"]) == ("ResourceNotFound", "none")


def test_each_read_of_a_batch_is_told() -> None:
    hit = Reading(INFO, BYTES, ServedFrom.HIT)
    span = told(marked(response(200, hit, hit), posted(b"[]")))
    assert [child.name for child in span.children] == ["library.read", "library.read", "send"]


def test_a_slow_response_that_nobody_marked_tells_what_it_read() -> None:
    miss = Reading(INFO, BYTES, ServedFrom.MISS, STAGES)
    span = told(response(200, miss))
    assert (span.name, span.attributes) == ("request", {"http.response.status_code": 200})
    assert [(child.name, child.start_s) for child in span.children] == [
        ("library.read", 11.0),
        ("send", 14.0),
    ]
