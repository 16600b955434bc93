import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from choirbook.catalog.cursors import encode_cursor
from tests.support.apps import Served, serving
from tests.support.mcp import CALLS, error, post, result
from tests.support.sources import EIO, FailingSource
from tests.support.tools import call_tool, failure, refusal, told_of, tools

CORE = "mcp://resources/sdlc/core"


async def test_every_tool_says_what_it_takes_and_returns(served: Served, era: str) -> None:
    listed = await tools(served, era)
    assert list(listed) == ["list", "search", "read", "outline"]
    for tool in listed.values():
        assert tool["title"]
        assert tool["description"]
        for schema in (tool["inputSchema"], tool["outputSchema"]):
            Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"
        assert tool["inputSchema"]["additionalProperties"] is False
        assert all(each["description"] for each in tool["inputSchema"]["properties"].values())


async def test_every_tool_is_read_only_and_may_have_a_long_result(served: Served, era: str) -> None:
    for tool in (await tools(served, era)).values():
        assert tool["annotations"] == {
            "title": tool["title"],
            "readOnlyHint": True,
            "destructiveHint": False,
            "idempotentHint": True,
            "openWorldHint": False,
        }
        assert tool["_meta"] == {"anthropic/maxResultSizeChars": 500_000}


async def test_names_are_such_as_the_specification_advises(served: Served, era: str) -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", name) for name in await tools(served, era))


async def test_the_list_has_one_page_and_is_the_same_again(served: Served, era: str) -> None:
    first = await result(served, era, "tools/list")
    assert "nextCursor" not in first
    assert await result(served, era, "tools/list") == first
    assert await result(served, era, "tools/list", cursor=encode_cursor(CORE)) == {"tools": []}
    assert (await error(served, era, "tools/list", cursor="bm9uc2Vuc2U"))["code"] == -32602


async def test_tools_can_be_switched_off(library: Path, era: str) -> None:
    async with serving(library, tools=False) as served:
        for method in ("tools/list", "tools/call"):
            response = await CALLS[era](served, method, name="read")
            assert response.json()["error"]["code"] == -32601
        greeting = "server/discover" if era == "modern" else "initialize"
        met = await CALLS[era](served, greeting, protocolVersion="2025-11-25")
        assert "tools" not in met.json()["result"]["capabilities"]
        assert "tools" not in met.json()["result"]["instructions"]


async def test_an_unknown_tool_is_answered_with_those_there_are(served: Served, era: str) -> None:
    message = await refusal(served, era, name="raed", arguments={})
    assert "'raed'" in message
    assert "list, search, read, outline" in message


async def test_a_call_without_a_name_is_no_call(served: Served, era: str) -> None:
    assert "name" in await refusal(served, era)


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"name": "search", "arguments": {"q": "naming"}}, "`q`"),
        ({"name": "search", "arguments": {}}, "query (string of at most"),
        ({"name": "search", "arguments": {"query": "naming", "limit": 3.5}}, "limit (integer from 1 to"),
        ({"name": "search", "arguments": {"query": "naming", "limit": "three"}}, "limit (integer from 1 to"),
        ({"name": "search", "arguments": {"query": "naming", "limit": True}}, "$.limit"),
        ({"name": "search", "arguments": {"query": 3}}, "$.query"),
        ({"name": "search", "arguments": {"query": "naming", "x" * 100_000: 1}}, "xxx"),
        ({"name": "read", "arguments": {}}, "`uri`"),
        ({"name": "read"}, "`uri`"),
        ({"name": "read", "arguments": {"uri": 1}}, "$.uri"),
        ({"name": "read", "arguments": {"uri": CORE, "max_tokens": "many"}}, "$.max_tokens"),
        ({"name": "read", "arguments": {"uri": CORE, "maxTokens": 1}}, "`maxTokens`"),
        ({"name": "read", "arguments": [CORE]}, "Expected `object`"),
        ({"name": "list", "arguments": {"uri": CORE}}, "type (string), prefix (string), cursor (string)"),
    ],
)
async def test_arguments_that_are_not_of_the_schema_are_an_error_that_says_what_is(
    served: Served, era: str, params: dict[str, Any], complaint: str
) -> None:
    told = told_of(await result(served, era, "tools/call", **params))
    assert complaint in told
    assert "It takes: " in told
    assert len(told) < 1000


@pytest.mark.parametrize("limit", [3.0, "3", "3.0"])
async def test_a_whole_number_is_one_however_it_is_spelled(served: Served, era: str, limit: object) -> None:
    as_number = await call_tool(served, era, "search", query="naming", limit=3)
    assert await call_tool(served, era, "search", query="naming", limit=limit) == as_number
    assert "can be a number" in await failure(served, era, "search", query="naming", limit="500")


async def test_numbers_that_no_machine_can_hold_are_an_error_of_the_tool(served: Served) -> None:
    for number in (b"1e400", b"9" * 5000, b"1e-400"):
        message = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":'
        response = await post(served, message + b'{"query":"x","limit":' + number + b"}}}")
        assert response.json()["result"]["isError"] is True


async def test_null_is_an_argument_left_out(served: Served, era: str) -> None:
    left_out = await call_tool(served, era, "read", uri=CORE)
    assert (
        await call_tool(served, era, "read", uri=CORE, section=None, max_tokens=None, cursor=None) == left_out
    )
    assert await result(served, era, "tools/call", name="list", arguments=None) == await call_tool(
        served, era, "list"
    )


async def test_a_document_that_cannot_be_read_is_an_error_of_the_tool(library: Path, era: str) -> None:
    source = FailingSource(library)
    async with serving(library, source=source) as served:
        source.error = EIO
        assert "cannot be read at the moment" in await failure(served, era, "read", uri=CORE)
        source.error = None
        await call_tool(served, era, "read", uri=CORE)
