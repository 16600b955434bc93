"""Responses are compared with what the probe read, whatever transport they came by."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf.targets import (
    FIRST_ID,
    EventStream,
    Judge,
    McpTarget,
    Operation,
    Request,
    Session,
    content_of,
    expected_of,
    is_call,
    judge,
    numbered,
    opened,
)

JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream"}


def operation(kind: str, **fields: Any) -> Operation:
    return Operation(
        name="x", resource_type="x", kind=kind, address="x", request=Request("POST", "http://h", {}), **fields
    )


def reply(result: Any, **more: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result, **more}).encode()


def contents(text: str) -> dict[str, Any]:
    return {"contents": [{"uri": "a://b", "text": text}]}


def reading(content: str) -> Operation:
    read = content_of("resources/read", 200, JSON, reply(contents(content)))
    return operation("resources/read", expected=expected_of(read))


def test_a_different_body_with_status_200_is_a_failure() -> None:
    read = reading("right")
    assert judge(read, 200, JSON, reply(contents("right"))).failure == ""
    assert "at the same length" in judge(read, 200, JSON, reply(contents("wrong"))).failure
    assert "3 bytes instead of 5" in judge(read, 200, JSON, reply(contents("rig"))).failure


def test_the_content_is_the_same_as_json_and_as_events() -> None:
    read = reading("a\nb")
    body = reply(contents("a\nb"), other=1)
    assert judge(read, 200, JSON, body).failure == ""
    assert judge(read, 200, EVENTS, b"id: 7\ndata: " + body + b"\n\n").failure == ""


def test_a_page_over_http_is_compared_byte_by_byte() -> None:
    page = operation("http", expected=expected_of(b"page"))
    assert judge(page, 200, {"x-cache": "hit"}, b"page") == ("", "hit")
    assert judge(page, 200, {}, b"pane").failure
    assert judge(page, 200, {}, b"").failure == "empty answer"


@pytest.mark.parametrize(
    ("kind", "one", "same", "other"),
    [
        (
            "resources/list",
            {"resources": [{"uri": "a", "name": "b"}], "nextCursor": "1"},
            {"nextCursor": "2", "resources": [{"name": "b", "uri": "a"}], "_meta": {"t": 1}},
            {"resources": []},
        ),
        ("tools/list", {"tools": []}, {"tools": [], "ttlMs": 1}, {"tools": [{"name": "x"}]}),
        (
            "prompts/get",
            {"messages": [{"role": "user"}]},
            {"messages": [{"role": "user"}], "_meta": {}},
            {"messages": []},
        ),
        (
            "completion/complete",
            {"completion": {"values": ["a"]}},
            {"completion": {"values": ["a"]}},
            {"completion": {"values": []}},
        ),
        (
            "initialize",
            {"serverInfo": {"name": "s"}, "capabilities": {}},
            {"serverInfo": {"name": "s"}, "capabilities": {}, "protocolVersion": "x"},
            {"serverInfo": {"name": "t"}, "capabilities": {}},
        ),
    ],
)
def test_what_may_differ_between_responses_is_not_compared(
    kind: str, one: dict[str, Any], same: dict[str, Any], other: dict[str, Any]
) -> None:
    asked = operation(kind, expected=expected_of(content_of(kind, 200, JSON, reply(one))))
    assert judge(asked, 200, JSON, reply(same)).failure == ""
    assert judge(asked, 200, JSON, reply(other)).failure
    assert judge(asked, 200, JSON, reply({})).failure.startswith("the result has no ")


FAILED = {"isError": True, "content": [{"type": "text", "text": "out of paper"}]}
DONE = {"content": [{"type": "text", "text": "printed"}]}


def test_a_tool_that_reports_an_error_failed_unless_it_has_to() -> None:
    assert judge(operation("tools/call"), 200, JSON, reply(DONE)).failure == ""
    failure = judge(operation("tools/call"), 200, JSON, reply(FAILED)).failure
    assert failure == "the tool reports an error: out of paper"
    assert judge(operation("tools/call", is_error=True), 200, JSON, reply(FAILED)).failure == ""
    assert judge(operation("tools/call", is_error=True), 200, JSON, reply(DONE)).failure


def test_a_text_that_a_scenario_expects_is_looked_for() -> None:
    assert judge(operation("tools/call", contains="printed"), 200, JSON, reply(DONE)).failure == ""
    assert (
        "does not contain 'ink'"
        in judge(operation("tools/call", contains="ink"), 200, JSON, reply(DONE)).failure
    )
    umlaut = operation("resources/read", contains="grün")
    assert judge(umlaut, 200, JSON, reply(contents("rot, grün, blau"))).failure == ""


def test_what_is_remembered_never_changes_a_judgement() -> None:
    remembering, read, other = Judge(), reading("right"), reading("other")
    good = reply(contents("right"))
    for _ in range(2):
        assert remembering.judge(read, 200, {"x-cache": "miss", **JSON}, good) == ("", "miss")
    assert remembering.judge(read, 500, JSON, good).failure == "status 500"
    assert remembering.judge(read, 200, JSON, reply(contents("wrong"))).failure
    assert remembering.judge(other, 200, JSON, good).failure


def test_another_id_is_no_difference_but_another_content_is() -> None:
    remembering, read = Judge(), reading("right 1000000001")
    for id_ in (1000000001, 1000000002, 1000000003):
        for body in (
            {"jsonrpc": "2.0", "id": id_, "result": contents("right 1000000001")},
            {"result": contents("right 1000000001"), "jsonrpc": "2.0", "id": id_},
        ):
            assert remembering.judge(read, 200, JSON, msgspec.json.encode(body)).failure == ""
            wrong = json.dumps(body).replace("right 1000000001", "right 1000000002").encode()
            assert remembering.judge(read, 200, JSON, wrong).failure


@given(st.integers(FIRST_ID, 9_999_999_999))
def test_a_request_is_numbered_without_changing_its_length(id_: int) -> None:
    body = McpTarget("http://h/mcp", "handshake").read("a://b").body or b""
    assert is_call(body)
    other = numbered(body, id_)
    assert len(other) == len(body)
    assert json.loads(other) == json.loads(body) | {"id": id_}
    note = McpTarget("http://h/mcp", "handshake").handshake().initialized.body or b""
    assert not is_call(note)
    assert numbered(note, id_) == note


kinds = st.sampled_from(
    ["http", "resources/read", "resources/list", "tools/call", "prompts/get", "initialize"]
)


@given(kinds, st.binary(), st.sampled_from([JSON, EVENTS, {}]), st.integers(100, 599))
def test_any_response_is_judged(kind: str, body: bytes, headers: dict[str, str], status: int) -> None:
    judge(operation(kind, expected=expected_of(b"x")), status, headers, body)
    opened(status, headers, body)


jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(
    kinds, st.dictionaries(st.sampled_from(["contents", "tools", "messages", "content", "isError"]), jsons)
)
def test_any_result_is_judged(kind: str, result: dict[str, Any]) -> None:
    judge(operation(kind), 200, JSON, msgspec.json.encode({"result": result}))


@given(st.binary(), st.lists(st.integers(1, 40)), st.sampled_from([b"\n", b"\r\n"]))
def test_the_reply_in_a_stream_is_found_however_it_is_cut(noise: bytes, cuts: list[int], end: bytes) -> None:
    note = json.dumps({"jsonrpc": "2.0", "method": "notifications/message"}).encode()
    comment = b": " + noise.replace(b"\n", b"").replace(b"\r", b"")
    lines = [comment, b"", b"event: message", b"data: " + note, b"", b"data: " + reply({}), b"", b""]
    body = end.join(lines)
    stream = EventStream()
    at = 0
    for cut in [*cuts, len(body)]:
        part = body[at : at + cut]
        at += len(part)
        assert stream.feed(part) is (at == len(body) and bool(part))
        if at == len(body):
            break


def test_a_stream_that_stays_open_has_its_reply_before_its_end() -> None:
    stream = EventStream()
    assert not stream.feed(b": hello\n\n")
    assert stream.feed(b"data: " + reply({}) + b"\n\n: still here")


def test_a_session_is_what_the_server_says() -> None:
    body = reply({"protocolVersion": "2025-06-18", "capabilities": {}})
    session, failure = opened(200, {**JSON, "mcp-session-id": "s-1"}, body)
    assert (session, failure) == (Session("s-1", "2025-06-18"), "")
    assert session.headers() == {"Mcp-Session-Id": "s-1", "MCP-Protocol-Version": "2025-06-18"}
    assert session.is_lost(404)
    assert not session.is_lost(400)
    assert not Session().is_lost(404)


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, b"no", "is not a JSON-RPC reply"),
        (503, b"busy", "status 503"),
        (400, b'{"error": {"code": -32600, "message": "bad"}}', "JSON-RPC error -32600: bad"),
        (200, b'{"result": {}}', "no protocol version"),
    ],
)
def test_a_handshake_that_failed_still_names_the_session_to_end(status: int, body: bytes, told: str) -> None:
    session, failure = opened(status, {**JSON, "mcp-session-id": "s-1"}, body)
    assert session.id == "s-1"
    assert told in failure
