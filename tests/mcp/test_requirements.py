"""Requirements of the specification for all methods, or for none in particular; see `tests/requirements/`."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from choirbook.errors import TABLE, Era, mcp_outcome
from choirbook.mcp.messages import CLIENT_CAPABILITIES, PROTOCOL_VERSION
from tests.support.apps import Served, serving
from tests.support.mcp import (
    CALLS,
    NOW,
    handshake,
    modern,
    modern_headers,
    modern_message,
    post,
    result,
)
from tests.support.trees import plant

CORE = "mcp://resources/sdlc/core"

COMMON: dict[str, dict[str, Any]] = {
    "resources/list": {},
    "resources/templates/list": {},
    "resources/read": {"uri": CORE},
    "prompts/list": {},
    "prompts/get": {"name": "prd-template"},
    "completion/complete": {
        "ref": {"type": "ref/resource", "uri": "mcp://resources/patterns/{language}/{name}"},
        "argument": {"name": "language", "value": ""},
    },
    "tools/list": {},
    "tools/call": {"name": "read", "arguments": {"uri": CORE}},
}
"""A request of each method that both eras have."""

DEFINED = {-32700, -32600, -32601, -32602, -32603, -32020, -32021, -32022}
"""Codes of JSON-RPC and of revision 2026-07-28."""


async def test_every_result_says_that_it_is_complete(served: Served) -> None:
    # What is around a result is looked at by `result`: its type, its server, how long it holds.
    for method, params in {**COMMON, "server/discover": {}}.items():
        await result(served, "modern", method, **params)


async def test_no_result_of_the_other_era_says_so(served: Served) -> None:
    for method, params in COMMON.items():
        await result(served, "handshake", method, **params)


@pytest.mark.parametrize("method", COMMON)
async def test_any_request_may_be_the_first(library: Path, era: str, method: str) -> None:
    async with serving(library) as served:
        response = await CALLS[era](served, method, **COMMON[method])
        assert "result" in response.json()


async def test_lists_do_not_depend_on_what_was_asked_before(served: Served, era: str) -> None:
    lists = ("resources/list", "resources/templates/list", "prompts/list", "tools/list")
    before = {method: await result(served, era, method) for method in lists}
    for method, params in COMMON.items():
        await result(served, era, method, **params)
        await CALLS["modern" if era == "handshake" else "handshake"](served, method, **params)
    assert {method: await result(served, era, method) for method in lists} == before


async def test_a_cursor_is_good_at_another_process(library: Path, era: str) -> None:
    plant(library, {"templates/adr-template.xml": "<adr/>", "long.txt": "A line of it.\n" * 100})
    part = {"uri": "mcp://resources/files/long.txt", "max_tokens": 50}
    async with serving(library, page_size=1) as one, serving(library, page_size=1) as other:
        for method in ("resources/list", "prompts/list"):
            cursor = (await result(one, era, method))["nextCursor"]
            assert await result(one, era, method, cursor=cursor) == await result(
                other, era, method, cursor=cursor
            )
        first = await result(one, era, "tools/call", name="read", arguments=part)
        cursor = first["structuredContent"]["nextCursor"]
        rest = {"name": "read", "arguments": {**part, "cursor": cursor}}
        assert await result(one, era, "tools/call", **rest) == await result(other, era, "tools/call", **rest)


def test_only_codes_of_the_specification_are_used() -> None:
    assert {mcp_outcome(error("x"), Era.MODERN)[1] for error in TABLE} <= DEFINED
    assert {mcp_outcome(error("x"), Era.HANDSHAKE)[1] for error in TABLE} <= DEFINED | {-32002}


def keys_in_meta(value: Any) -> Iterator[str]:
    """Yield the keys of every `_meta` in a JSON value."""
    if isinstance(value, dict):
        yield from value.get("_meta", {})
        for member in value.values():
            yield from keys_in_meta(member)
    elif isinstance(value, list):
        for item in value:
            yield from keys_in_meta(item)


async def test_keys_in_meta_are_named_as_the_specification_asks(served: Served) -> None:
    label = "[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    name = "[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
    keys: set[str] = set()
    for method, params in COMMON.items():
        keys.update(keys_in_meta((await modern(served, method, **params)).json()))
    assert "io.modelcontextprotocol/serverInfo" in keys
    for key in keys:
        assert re.fullmatch(rf"{label}(?:\.{label})*/{name}", key), key
        # What has such a label is reserved, but for what the specification names.
        if re.match(r"[\w-]+\.(?:modelcontextprotocol|mcp)\b", key):
            assert key == "io.modelcontextprotocol/serverInfo"


async def test_a_notification_that_is_not_accepted_gets_an_error_of_http(served: Served) -> None:
    notification = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {}}
    headers = {"mcp_protocol_version": NOW, "mcp_method": "notifications/cancelled"}
    response = await post(served, notification, **headers)
    assert (response.status_code, response.json()["error"]["code"]) == (400, -32602)
    meta = {PROTOCOL_VERSION: NOW, CLIENT_CAPABILITIES: {}}
    response = await post(served, {**notification, "params": {"_meta": meta}}, mcp_protocol_version="x")
    assert (response.status_code, response.json()["error"]["code"]) == (400, -32020)


@pytest.mark.parametrize("method", ["resources/read", "prompts/get", "tools/call"])
async def test_a_name_in_the_header_agrees_with_the_body(served: Served, method: str) -> None:
    message = modern_message(method, **COMMON[method])
    headers = modern_headers(message)
    name = str(headers["mcp_name"])
    for agreeing in (name, f" {name} ", f"=?base64?{b64encode(name.encode()).decode()}?="):
        response = await post(served, message, **{**headers, "mcp_name": agreeing})
        assert "result" in response.json(), agreeing
    for other in (None, name.upper(), name + "x", "=?base64?????="):
        response = await post(served, message, **{**headers, "mcp_name": other})
        assert (response.status_code, response.json()["error"]["code"]) == (400, -32020), other


async def test_headers_have_no_case_and_their_values_have_one(served: Served) -> None:
    message = modern_message("tools/call", **COMMON["tools/call"])
    names = {"MCP-PROTOCOL-VERSION": NOW, "mcp-METHOD": "tools/call", "mCP-nAME": "read"}
    common = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    response = await served.client.post("/mcp", json=message, headers=common | names)
    assert "result" in response.json()
    response = await served.client.post("/mcp", json=message, headers=common | names | {"mCP-nAME": "READ"})
    assert response.json()["error"]["code"] == -32020


async def test_the_case_of_a_tool_counts(served: Served, era: str) -> None:
    response = await CALLS[era](served, "tools/call", name="READ", arguments={"uri": CORE})
    assert response.json()["error"]["code"] == -32602


async def test_no_message_holds_a_line_feed(served: Served, era: str) -> None:
    own: dict[str, dict[str, Any]] = {"modern": {"server/discover": {}}, "handshake": {"ping": {}}}
    for method, params in {**COMMON, **own[era]}.items():
        response = await CALLS[era](served, method, **params)
        assert b"\n" not in response.content
        assert b"\r" not in response.content
    failed = await handshake(served, "resources/read", uri="a\nb")
    assert b"\n" not in failed.content
    assert "error" in json.loads(failed.content)
