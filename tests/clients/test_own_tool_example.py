"""`examples/own_tool.py` does what it says, with the official client."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from mcp.client.client import Client
from mcp_types import TextContent

from tests.support.servers import Server, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    command = [sys.executable, "-m", "uvicorn", "examples.own_tool:app", "--port", "0"]
    with running(command, tmp_path_factory.mktemp("own-tool")) as server:
        yield server


async def test_the_tool_is_listed_after_choirbooks_own_and_answers(server: Server) -> None:
    async with Client(server.mcp_url) as client:
        listed = await client.list_tools()
        found = await client.call_tool("recent", {"count": 2})

    assert [tool.name for tool in listed.tools] == ["list", "search", "read", "outline", "recent"]
    assert found.structured_content is not None
    assert len(found.structured_content["uris"]) == 2


async def test_what_it_refuses_the_model_gets_to_see(server: Server) -> None:
    async with Client(server.mcp_url) as client:
        found = await client.call_tool("recent", {"count": 0})

    assert found.is_error
    (item,) = found.content
    assert isinstance(item, TextContent)
    assert "from 1 to 50" in item.text
