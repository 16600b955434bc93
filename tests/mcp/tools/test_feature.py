import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from carrel.paging import encode_cursor
from tests.support.apps import Served, serving
from tests.support.mcp import CALLS, error, result
from tests.support.sources import EIO, FailingSource
from tests.support.tools import call_tool, failure, refusal, tools

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


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({}, "name"),
        ({"name": "read", "arguments": {}}, "`uri`"),
        ({"name": "read"}, "`uri`"),
        ({"name": "read", "arguments": {"uri": 1}}, "$.uri"),
        ({"name": "read", "arguments": {"uri": CORE, "max_tokens": "many"}}, "$.max_tokens"),
        ({"name": "read", "arguments": {"uri": CORE, "maxTokens": 1}}, "`maxTokens`"),
        ({"name": "read", "arguments": [CORE]}, "Expected `object`"),
        ({"name": "list", "arguments": {"uri": CORE}}, "type, prefix, cursor"),
    ],
)
async def test_arguments_that_are_not_of_the_schema_are_refused(
    served: Served, era: str, params: dict[str, Any], complaint: str
) -> None:
    assert complaint in await refusal(served, era, **params)


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
