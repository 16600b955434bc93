from __future__ import annotations

import json
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf.scraper import samples
from choirbook_perf.targets import (
    HttpTarget,
    McpTarget,
    Session,
    decode_reply,
    path_of,
    resource_type,
    uri_of,
)

JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream; charset=utf-8"}
GOOD = {"jsonrpc": "2.0", "id": 1, "result": {"contents": [{"uri": "a://b", "text": "x"}]}}


def _body(message: object) -> bytes:
    return json.dumps(message).encode()


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (200, _body(GOOD), ""),
        (200, _body({"result": {"contents": []}}), "the contents are empty"),
        (200, _body({"result": {}}), "the result has no contents"),
        (200, _body({"result": "text"}), "the result has no contents"),
        (200, b"<html>", "the answer is not a JSON-RPC reply"),
        (200, b"", "the answer is not a JSON-RPC reply"),
        (200, _body({"error": {"code": -32602, "message": "no"}}), "JSON-RPC error -32602: no"),
        (404, _body({"error": {"code": -32601, "message": "what"}}), "JSON-RPC error -32601: what"),
        (503, b"busy", "status 503"),
    ],
)
def test_an_mcp_answer_is_good_only_with_contents(status: int, body: bytes, failure: str) -> None:
    assert McpTarget.judge(status, JSON, body).failure == failure


@pytest.mark.parametrize(
    ("status", "headers", "body", "answer"),
    [
        (200, {"x-cache": "hit"}, b"x", ("", "hit")),
        (200, {"x-cache": "miss"}, b"x", ("", "miss")),
        (200, {"x-cache": "stale"}, b"x", ("", "hit")),
        (200, {"x-cache": "HIT from a proxy"}, b"x", ("", "unknown")),
        (200, {}, b"x", ("", "unknown")),
        (200, {}, b"", ("empty answer", "unknown")),
        (304, {}, b"", ("status 304", "unknown")),
        (500, {}, b"x", ("status 500", "unknown")),
    ],
)
def test_an_http_answer_is_good_only_with_a_body(
    status: int, headers: dict[str, str], body: bytes, answer: tuple[str, str]
) -> None:
    assert HttpTarget.judge(status, headers, body) == answer


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_reply_is_found_among_the_events_of_a_stream(end: bytes) -> None:
    notification = _body({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})
    lines = [
        b": hello",
        b"",
        b"event: message",
        b"data: " + notification,
        b"",
        b"id: 1",
        b"data: " + _body(GOOD),
        b"",
    ]
    assert McpTarget.judge(200, EVENTS, end.join([*lines, b""])).failure == ""


@given(st.binary(), st.sampled_from([JSON, EVENTS, {}]), st.integers(100, 599))
def test_no_answer_makes_the_judge_fail(body: bytes, headers: dict[str, str], status: int) -> None:
    assert McpTarget.judge(status, headers, body).failure
    decode_reply(headers, body)


@given(st.text(min_size=1))
def test_a_name_in_a_header_can_be_sent_and_read_back(uri: str) -> None:
    header = McpTarget("http://h/mcp", "modern").read(uri).headers["Mcp-Name"]
    assert header.isascii()
    assert "\n" not in header
    if header.startswith("=?base64?"):
        header = b64decode(header.removeprefix("=?base64?").removesuffix("?=")).decode()
    assert header == uri


def test_the_eras_say_different_things() -> None:
    modern = McpTarget("http://h/mcp", "modern").read("a://b")
    assert modern.headers["MCP-Protocol-Version"] == "2026-07-28"
    assert "_meta" in json.loads(modern.body or b"")["params"]
    handshake = Session("s-1", "2025-06-18").prepare(McpTarget("http://h/mcp", "handshake").read("a://b"))
    assert handshake.headers["MCP-Protocol-Version"] == "2025-06-18"
    assert handshake.headers["Mcp-Session-Id"] == "s-1"
    assert json.loads(handshake.body or b"")["params"] == {"uri": "a://b"}


@pytest.mark.parametrize(
    ("name", "uri", "path"),
    [
        ("sdlc/core", "mcp://resources/sdlc/core", "/mcp/resources/sdlc/core"),
        ("mcp://resources/sdlc/core", "mcp://resources/sdlc/core", "/mcp/resources/sdlc/core"),
        ("/mcp/resources/sdlc/core", "mcp://resources/sdlc/core", "/mcp/resources/sdlc/core"),
        ("files/a b.md", "mcp://resources/files/a b.md", "/mcp/resources/files/a%20b.md"),
    ],
)
def test_a_resource_is_named_alike_for_both_protocols(name: str, uri: str, path: str) -> None:
    assert (uri_of(name), path_of(name)) == (uri, path)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("mcp://resources/sdlc/core", "sdlc"),
        ("/mcp/resources/patterns/core", "pattern"),
        ("mcp://resources/else/where", "unknown"),
        ("shelf://books/1", "unknown"),
        ("/page", "unknown"),
    ],
)
def test_the_type_is_told_by_the_address(address: str, kind: str) -> None:
    assert resource_type(address) == kind


def test_samples_have_their_labels_in_order_and_are_numbers() -> None:
    text = 'a_total{z="1",b="2"} 3\nb NaN\nc_bucket{le="+Inf"} 7\n'
    assert samples(text) == {'a_total{b="2",z="1"}': 3.0, 'c_bucket{le="+Inf"}': 7.0}
    assert samples("<html>") == {}
