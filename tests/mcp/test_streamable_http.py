"""The error table of both eras, the headers, batches and notifications, through the endpoint."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.mcp.messages import CLIENT_CAPABILITIES, PROTOCOL_VERSION
from choirbook.mcp.revisions import HANDSHAKE, SERVED
from tests.support.apps import Served, serving
from tests.support.mcp import (
    META,
    NOW,
    handshake,
    handshake_message,
    modern,
    modern_headers,
    modern_message,
    post,
)
from tests.support.sources import EIO, FailingSource
from tests.support.trees import CORE

URI = "mcp://resources/sdlc/core"
BATCHING = "2025-03-26"


def error(response: httpx.Response, status: int, code: int) -> dict[str, Any]:
    """Check that a response is a JSON-RPC error, and return it whole."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json")
    document: dict[str, Any] = response.json()
    assert document["jsonrpc"] == "2.0"
    assert "result" not in document
    assert document["error"]["code"] == code
    assert document["error"]["message"]
    return document


async def both(served: Served, method: str, **params: Any) -> list[httpx.Response]:
    return [await handshake(served, method, **params), await modern(served, method, **params)]


async def test_a_resource_is_read_in_both_eras(served: Served) -> None:
    for response in await both(served, "resources/read", uri=URI):
        assert response.status_code == 200
        assert response.json()["id"] == 1
        (item,) = response.json()["result"]["contents"]
        assert item.pop("_meta").keys() == {
            "dev.choirbook/tokens",
            "dev.choirbook/etag",
            "dev.choirbook/digest",
        }
        assert item == {"uri": URI, "mimeType": "text/markdown", "text": CORE}
        assert "mcp-session-id" not in response.headers


@pytest.mark.parametrize("id_", [0, -1, 10**30, "", "a", 'quo"te', "ä", "\u2028", "x" * 126])
async def test_the_id_comes_back_as_it_was(served: Served, id_: object) -> None:
    message = modern_message("resources/read", id_, uri=URI)
    for response in (
        await post(served, handshake_message("resources/read", id_, uri=URI)),
        await post(served, message, **modern_headers(message)),
    ):
        assert response.json()["id"] == id_


BAD_JSON = [b"", b"{", b"nonsense", b"\xff", b"[" * 1000, json.dumps(handshake_message("ping")).encode()[:-1]]


@pytest.mark.parametrize("body", BAD_JSON, ids=range(len(BAD_JSON)))
@pytest.mark.parametrize("version", [None, NOW, *HANDSHAKE])
async def test_bad_json(served: Served, body: bytes, version: str | None) -> None:
    document = error(await post(served, body, mcp_protocol_version=version), 400, -32700)
    assert "id" not in document


BAD_ENVELOPES: list[Any] = [
    {},
    5,
    "ping",
    [],
    {"id": 1, "method": "ping"},
    {"jsonrpc": "1.0", "id": 1, "method": "ping"},
    {"jsonrpc": "2.0", "id": 1},
    {"jsonrpc": "2.0", "id": None, "method": "ping"},
    {"jsonrpc": "2.0", "id": "x" * 500, "method": "ping"},
    {"jsonrpc": "2.0", "id": 1, "method": 5},
    {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []},
    {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"_meta": META}, "result": {}},
]


@pytest.mark.parametrize("value", BAD_ENVELOPES, ids=range(len(BAD_ENVELOPES)))
@pytest.mark.parametrize("version", [None, NOW, *HANDSHAKE])
async def test_a_bad_envelope(served: Served, value: Any, version: str | None) -> None:
    document = error(await post(served, value, mcp_protocol_version=version), 400, -32600)
    assert document.get("id", 1) == 1


async def test_a_batch_is_no_message_of_the_modern_era(served: Served) -> None:
    message = modern_message("resources/read", uri=URI)
    for batch in ([message], [message, message], [message, handshake_message("ping")]):
        error(await post(served, batch, mcp_protocol_version=NOW), 400, -32600)
        error(await post(served, batch), 400, -32600)
        error(await post(served, batch, mcp_protocol_version=BATCHING), 400, -32600)


async def test_a_posted_response_is_no_message_of_the_modern_era(served: Served) -> None:
    error(
        await post(served, {"jsonrpc": "2.0", "id": 1, "result": {}}, mcp_protocol_version=NOW), 400, -32600
    )


@pytest.mark.parametrize("missing", [PROTOCOL_VERSION, CLIENT_CAPABILITIES])
async def test_a_required_key_of_the_meta_missing(served: Served, missing: str) -> None:
    meta = {key: value for key, value in META.items() if key != missing}
    message = modern_message("resources/read", uri=URI, _meta=meta)
    document = error(await post(served, message, **modern_headers(message)), 400, -32602)
    assert document["id"] == 1
    assert missing in document["error"]["message"]


async def test_the_meta_missing(served: Served) -> None:
    for version in (NOW, "1999-01-01", "garbage"):
        message = handshake_message("resources/read", uri=URI)
        error(await post(served, message, mcp_protocol_version=version), 400, -32602)


async def test_a_header_missing_or_different(served: Served) -> None:
    message = modern_message("resources/read", uri=URI)
    good = modern_headers(message)
    changes: list[dict[str, str | None]] = [
        {"mcp_protocol_version": None},
        {"mcp_protocol_version": HANDSHAKE[0]},
        {"mcp_method": None},
        {"mcp_method": "resources/list"},
        {"mcp_name": None},
        {"mcp_name": "mcp://resources/other"},
        {"mcp_name": "=?base64?####?="},
    ]
    for change in changes:
        assert error(await post(served, message, **{**good, **change}), 400, -32020)["id"] == 1


async def test_a_header_that_is_there_twice(served: Served) -> None:
    message = modern_message("resources/read", uri=URI)
    base = {"content-type": "application/json", "accept": "application/json"}
    once = {name.replace("_", "-"): value or "" for name, value in modern_headers(message).items()}
    for name, value in once.items():
        twice = [*base.items(), *once.items(), (name, value)]
        error(await served.client.post("/mcp", json=message, headers=twice), 400, -32020)


async def test_a_version_that_is_not_served(served: Served) -> None:
    meta = {**META, PROTOCOL_VERSION: "2099-01-01"}
    message = modern_message("resources/read", uri=URI, _meta=meta)
    headers = {**modern_headers(message), "mcp_protocol_version": "2099-01-01"}
    document = error(await post(served, message, **headers), 400, -32022)
    assert document["error"]["data"] == {"supported": list(SERVED), "requested": "2099-01-01"}


@pytest.mark.parametrize("method", ["nothing", "tasks/list", "resources/subscribe", "logging/setLevel", ""])
async def test_a_method_that_is_not_there(served: Served, method: str) -> None:
    old, new = await both(served, method)
    error(old, 200, -32601)
    error(new, 404, -32601)


async def test_the_methods_of_the_other_era_are_not_there(served: Served) -> None:
    error(await modern(served, "initialize", protocolVersion=HANDSHAKE[0]), 404, -32601)
    error(await modern(served, "ping"), 404, -32601)
    error(await handshake(served, "server/discover"), 200, -32601)


async def test_a_resource_that_is_not_there(served: Served) -> None:
    old, new = await both(served, "resources/read", uri="mcp://resources/sdlc/cor")
    for response, code in ((old, -32002), (new, -32602)):
        document = error(response, 200, code)
        assert document["error"]["data"] == {"uri": "mcp://resources/sdlc/cor"}
        assert URI in document["error"]["message"]


@pytest.mark.parametrize(
    "uri", ["", "x", "mcp://resources/../x", "mcp://resources/a%00", "mcp://u@resources/x", "a\nb"]
)
async def test_a_uri_that_no_resource_can_have(served: Served, uri: str) -> None:
    message = modern_message("resources/read", uri=uri)
    headers = {**modern_headers(message), "mcp_name": f"=?base64?{base64.b64encode(uri.encode()).decode()}?="}
    error(await handshake(served, "resources/read", uri=uri), 200, -32602)
    error(await post(served, message, **headers), 200, -32602)


@pytest.mark.parametrize("cursor", ["", "garbage", "AAAA"])
@pytest.mark.parametrize("method", ["resources/list", "resources/templates/list"])
async def test_a_bad_cursor(served: Served, method: str, cursor: str) -> None:
    for response in await both(served, method, cursor=cursor):
        error(response, 200, -32602)


@pytest.mark.parametrize(
    ("method", "params"),
    [("resources/read", {}), ("resources/read", {"uri": 5}), ("resources/list", {"cursor": 5})],
)
async def test_bad_parameters(served: Served, method: str, params: dict[str, Any]) -> None:
    for response in await both(served, method, **params):
        error(response, 200, -32602)


async def test_an_unreadable_document(library: Path) -> None:
    source = FailingSource(library)
    async with serving(library, source=source) as served:
        source.error = EIO
        for response in await both(served, "resources/read", uri=URI):
            document = error(response, 200, -32603)
            assert document["error"]["data"] == {"uri": URI}
            assert "sdlc-core.md" not in response.text


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("version", [None, NOW, HANDSHAKE[0]])
async def test_another_http_method(served: Served, method: str, version: str | None) -> None:
    headers = {} if version is None else {"mcp-protocol-version": version}
    response = await served.client.request(method, "/mcp", headers=headers)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("accept", ["text/event-stream", "text/html", "image/*"])
async def test_an_answer_that_is_not_accepted(served: Served, accept: str) -> None:
    error(await post(served, handshake_message("ping"), accept=accept), 406, -32600)


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "application/*", "text/event-stream, application/json"]
)
async def test_an_answer_that_is_accepted(served: Served, accept: str) -> None:
    assert (await post(served, handshake_message("ping"), accept=accept)).json()["result"] == {}


async def test_accept_in_two_lines(served: Served) -> None:
    headers = [
        ("accept", "text/event-stream"),
        ("accept", "application/json"),
        ("content-type", "application/json"),
    ]
    response = await served.client.post("/mcp", json=handshake_message("ping"), headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/xml", "application/jsonx"])
async def test_a_body_of_another_type(served: Served, content_type: str | None) -> None:
    body = json.dumps(handshake_message("ping")).encode()
    error(await post(served, body, content_type=content_type), 415, -32600)


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/json;"]
)
async def test_json_in_other_spellings(served: Served, content_type: str) -> None:
    body = json.dumps(handshake_message("ping")).encode()
    assert (await post(served, body, content_type=content_type)).status_code == 200


async def test_a_body_that_is_too_large(library: Path) -> None:
    async with serving(library, max_body_bytes=2000) as served:
        at_the_limit = json.dumps(handshake_message("ping")).encode().ljust(2000)
        assert (await post(served, at_the_limit)).status_code == 200
        response = await post(served, at_the_limit + b" ")
        assert (response.status_code, response.json()["title"]) == (413, "Body too large")


@pytest.mark.parametrize("revision", [None, *HANDSHAKE])
@pytest.mark.parametrize(
    "method", ["notifications/initialized", "notifications/cancelled", "notifications/other"]
)
async def test_notifications_are_accepted(served: Served, method: str, revision: str | None) -> None:
    message = {"jsonrpc": "2.0", "method": method}
    response = await post(served, message, mcp_protocol_version=revision)
    assert (response.status_code, response.content) == (202, b"")


async def test_notifications_of_the_modern_era_are_accepted(served: Served) -> None:
    message = {
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": {"_meta": META, "requestId": 1},
    }
    response = await post(served, message, mcp_protocol_version=NOW)
    assert (response.status_code, response.content) == (202, b"")


async def test_a_notification_of_a_request_is_carried_out_silently(served: Served) -> None:
    message = {"jsonrpc": "2.0", "method": "resources/read", "params": {"uri": "mcp://nothing"}}
    response = await post(served, message)
    assert (response.status_code, response.content) == (202, b"")


@pytest.mark.parametrize("revision", [None, *HANDSHAKE])
async def test_posted_responses_are_accepted_in_the_handshake_era(
    served: Served, revision: str | None
) -> None:
    response = await post(served, {"jsonrpc": "2.0", "id": 1, "result": {}}, mcp_protocol_version=revision)
    assert (response.status_code, response.content) == (202, b"")


@pytest.mark.parametrize("revision", [None, BATCHING])
async def test_a_batch_is_answered_where_there_are_batches(served: Served, revision: str | None) -> None:
    batch: list[Any] = [
        handshake_message("ping", "a"),
        handshake_message("resources/read", 2, uri=URI),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 9, "result": {}},
        handshake_message("resources/read", 3, uri="mcp://nothing"),
        handshake_message("nothing", 4),
        {"jsonrpc": "2.0", "id": 5},
        "no message",
    ]
    response = await post(served, batch, mcp_protocol_version=revision)
    assert response.status_code == 200
    answers = response.json()
    assert [answer.get("id") for answer in answers] == ["a", 2, 3, 4, 5, None]
    assert answers[0]["result"] == {}
    assert answers[1]["result"]["contents"][0]["text"] == CORE
    assert [answer["error"]["code"] for answer in answers[2:]] == [-32002, -32601, -32600, -32600]
    assert "id" not in answers[-1]


async def test_a_batch_makes_no_suggestions(served: Served) -> None:
    """Each is a search among all names, and a batch may have many wrong ones."""
    wrong = "mcp://resources/sdlc/kore"
    reads = [handshake_message("resources/read", id_=number, uri=wrong) for number in (1, 2)]
    reads += [handshake_message("tools/call", id_=3, name="read", arguments={"uri": wrong})]
    response = await post(served, reads, mcp_protocol_version=BATCHING)
    assert response.text.count("Resource not found") == len(reads)
    assert "Did you mean" not in response.text
    alone = await post(served, reads[0], mcp_protocol_version=BATCHING)
    assert "Did you mean mcp://resources/sdlc/core?" in alone.text


async def test_a_batch_without_requests_is_accepted(served: Served) -> None:
    response = await post(served, [{"jsonrpc": "2.0", "method": "notifications/initialized"}])
    assert (response.status_code, response.content) == (202, b"")


async def test_initialize_is_refused_in_a_batch(served: Served) -> None:
    (answer,) = (await post(served, [handshake_message("initialize", protocolVersion=BATCHING)])).json()
    assert answer["error"]["code"] == -32600


@pytest.mark.parametrize(
    "revision", [revision for revision in HANDSHAKE if revision != BATCHING] + [NOW, "garbage"]
)
async def test_a_batch_is_refused_where_there_are_none(served: Served, revision: str) -> None:
    error(await post(served, [handshake_message("ping")], mcp_protocol_version=revision), 400, -32600)


async def test_what_the_modern_era_has_no_use_for_is_passed_over(served: Served) -> None:
    message = modern_message("resources/list")
    headers = modern_headers(message)
    response = await post(served, message, mcp_session_id="made-up", last_event_id="5", **headers)
    assert response.status_code == 200
    assert "mcp-session-id" not in response.headers


@given(body=st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
async def test_no_body_makes_a_server_error(body: bytes, served: Served) -> None:
    for version in (None, NOW):
        response = await post(served, body, mcp_protocol_version=version)
        assert 200 <= response.status_code < 500


@given(
    uri=st.text(max_size=60),
    cursor=st.text(max_size=60),
    method=st.sampled_from(["resources/read", "resources/list"]),
)
async def test_no_parameter_makes_a_server_error(uri: str, cursor: str, method: str, served: Served) -> None:
    body = json.dumps(handshake_message(method, uri=uri, cursor=cursor)).encode("utf-8", "surrogatepass")
    response = await post(served, body)
    assert response.status_code in {200, 400}
    assert response.json().get("error", {}).get("code") in {None, -32700, -32602, -32002}
