"""Tools and features that an embedding app adds to Choirbook's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest

from choirbook.app import ToolMaker
from choirbook.errors import Era
from choirbook.library.library import Library
from choirbook.mcp.messages import CLIENT_CAPABILITIES
from choirbook.mcp.protocol import Call
from choirbook.mcp.results import Method, Outcome, finish
from choirbook.mcp.tools.tool import Arguments, Tool, described
from tests.support.apps import application, serving
from tests.support.mcp import META, modern_headers, modern_message, post, result
from tests.support.tools import told_of, tools

NEEDED: dict[str, Any] = {"extensions": {"example.org/maps": {}}}


class Place(Arguments, frozen=True):
    """Where."""

    region: Annotated[str | None, described("Where.", **{"x-mcp-header": "Region"})] = None


def tool(name: str, **members: Any) -> ToolMaker:
    def make(library: Library) -> Tool:
        def call(_: Place, era: Era) -> Outcome:
            return finish(b'"content":[{"type":"text","text":"here"}]', era, library.stamp, cacheable=False)

        return Tool(name=name, title=name, description=name, arguments=Place, call=call, **members)

    return make


class Weather:
    """A feature that Choirbook does not have."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def methods(self, _: Era) -> Mapping[str, Method]:
        return {"weather/get": self._get}

    def capabilities(self, _: Era) -> Mapping[str, Any]:
        return {"experimental": {"weather": {}}}

    def _get(self, call: Call) -> Outcome:
        return finish(b'"weather":"fair"', call.era, self._library.stamp, cacheable=False)


async def test_a_tool_of_ones_own_is_listed_last_and_called(library: Path, era: str) -> None:
    async with serving(library, more_tools=[tool("where")]) as served:
        assert list(await tools(served, era)) == ["list", "search", "read", "outline", "where"]
        assert "outputSchema" not in (await tools(served, era))["where"]
        found = await result(served, era, "tools/call", name="where")
    assert found == {"content": [{"type": "text", "text": "here"}]}


async def test_it_is_there_where_choirbooks_own_are_switched_off(library: Path, era: str) -> None:
    async with serving(library, tools=False, more_tools=[tool("where")]) as served:
        assert list(await tools(served, era)) == ["where"]


def test_a_name_that_is_taken_is_refused(library: Path) -> None:
    with pytest.raises(ValueError, match="Two tools have the name 'read'"):
        application(library, more_tools=[tool("read")])


async def test_members_of_a_schema_stand_beside_those_of_the_arguments(library: Path, era: str) -> None:
    more = {"allOf": [{"required": ["region"]}], "$defs": {"place": {"type": "string"}}}
    async with serving(library, more_tools=[tool("where", schema=more)]) as served:
        schema = (await tools(served, era))["where"]["inputSchema"]
    assert schema.items() >= more.items()
    assert schema["properties"]["region"]["type"] == "string"


@pytest.mark.parametrize(("sent", "status"), [("west", 200), ("east", 400), (None, 400)])
async def test_a_mirrored_argument_agrees_with_its_header(
    library: Path, sent: str | None, status: int
) -> None:
    async with serving(library, more_tools=[tool("where")]) as served:
        message = modern_message("tools/call", name="where", arguments={"region": "west"})
        response = await post(served, message, **modern_headers(message), mcp_param_region=sent)
    assert response.status_code == status
    assert status == 200 or response.json()["error"]["code"] == -32020


@pytest.mark.parametrize(
    ("arguments", "complaint"), [(["west"], "Expected `object`"), ({"region": 1}, "$.region")]
)
async def test_arguments_that_do_not_fit_are_an_error_of_the_tool_as_ever(
    library: Path, era: str, arguments: Any, complaint: str
) -> None:
    async with serving(library, more_tools=[tool("where")]) as served:
        assert complaint in told_of(
            await result(served, era, "tools/call", name="where", arguments=arguments)
        )


async def test_the_handshake_era_mirrors_nothing(library: Path) -> None:
    async with serving(library, more_tools=[tool("where")]) as served:
        await result(served, "handshake", "tools/call", name="where", arguments={"region": "west"})


@pytest.mark.parametrize(
    ("declared", "status"),
    [
        ({}, 400),
        ({"extensions": {}}, 400),
        ({"extensions": {"example.org/maps": {"zoom": True}}}, 200),
        ({**NEEDED, "sampling": {}}, 200),
    ],
)
async def test_a_tool_answers_only_clients_that_declare_what_it_needs(
    library: Path, declared: dict[str, Any], status: int
) -> None:
    async with serving(library, more_tools=[tool("where", needs=NEEDED)]) as served:
        meta = {**META, CLIENT_CAPABILITIES: declared}
        message = modern_message("tools/call", name="where", _meta=meta)
        response = await post(served, message, **modern_headers(message))
    assert response.status_code == status
    if status == 400:
        assert response.json()["error"]["code"] == -32021
        assert response.json()["error"]["data"] == {"requiredCapabilities": NEEDED}


async def test_a_feature_of_ones_own_has_its_methods_and_capabilities(library: Path, era: str) -> None:
    async with serving(library, more_features=[Weather]) as served:
        assert await result(served, era, "weather/get") == {"weather": "fair"}
        greeting = "server/discover" if era == "modern" else "initialize"
        met = await result(served, era, greeting, protocolVersion="2025-11-25")
    assert met["capabilities"]["experimental"] == {"weather": {}}
    assert "resources" in met["capabilities"]
