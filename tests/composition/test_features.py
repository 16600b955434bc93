from pathlib import Path
from typing import Any

from choirbook.mcp.tools.list import list_tool
from tests.support.apps import serving
from tests.support.mcp import handshake


async def initialized(library: Path, **options: Any) -> dict[str, Any]:
    async with serving(library, **options) as served:
        about: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": {}}
        answer = await handshake(served, "initialize", **about, clientInfo={"name": "x", "version": "1"})
        result: dict[str, Any] = answer.json()["result"]
        return result


async def test_a_client_is_told_of_tools_where_there_are_some(library: Path) -> None:
    result = await initialized(library)
    assert "tools" in result["capabilities"]
    assert "search and read" in result["instructions"]


async def test_a_client_is_not_told_of_tools_that_are_switched_off(library: Path) -> None:
    result = await initialized(library, tools=False)
    assert "tools" not in result["capabilities"]
    assert "search and read" not in result["instructions"]


async def test_tools_of_the_app_around_stay_where_the_own_ones_are_switched_off(library: Path) -> None:
    result = await initialized(library, tools=False, more_tools=[list_tool])
    assert "tools" in result["capabilities"]
    assert "search and read" not in result["instructions"]
