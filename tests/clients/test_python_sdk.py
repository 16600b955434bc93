"""The official Python SDK's client, in both eras, over both transports."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from mcp import MCPError
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import (
    BlobResourceContents,
    Resource,
    ResourceLink,
    ResourceTemplateReference,
    TextContent,
    TextResourceContents,
)
from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION

from tests.clients.conftest import PAGE_SIZE, VARIABLES
from tests.support.servers import DEADLINE_S, DOCUMENTS, Server, choirbook, environment

MODES = {"auto": LATEST_MODERN_VERSION, "legacy": LATEST_HANDSHAKE_VERSION}
"""How the client is told to negotiate, and the revision that comes of it."""

Connect = Callable[[], AbstractAsyncContextManager[Client]]
"""Makes a client, to be entered in the test itself: its task group is left by the task that entered it."""


@pytest.fixture(params=["http", "stdio"])
def target(request: pytest.FixtureRequest, library: Path, tmp_path: Path) -> str | StdioServerParameters:
    if request.param == "http":
        server: Server = request.getfixturevalue("server")
        return server.mcp_url
    command, *arguments = choirbook("stdio", library)
    return StdioServerParameters(command=command, args=arguments, env=environment(VARIABLES), cwd=tmp_path)


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def connect(target: str | StdioServerParameters, mode: str) -> Connect:
    return lambda: Client(target, mode=mode, cache=None, read_timeout_seconds=DEADLINE_S)


async def all_resources(client: Client) -> list[list[Resource]]:
    """Return the pages of the listing."""
    pages: list[list[Resource]] = []
    cursor: str | None = None
    while not pages or cursor is not None:
        page = await client.list_resources(cursor=cursor)
        pages.append(page.resources)
        cursor = page.next_cursor
    return pages


async def test_client_and_server_agree_on_a_revision(connect: Connect, mode: str) -> None:
    async with connect() as client:
        assert client.protocol_version == MODES[mode]
        assert client.server_capabilities.resources is not None
        assert client.server_capabilities.tools is not None


async def test_listing_comes_in_pages_and_has_every_document_once(connect: Connect) -> None:
    async with connect() as client:
        pages = await all_resources(client)

        assert [len(page) for page in pages] == [PAGE_SIZE, PAGE_SIZE, len(DOCUMENTS) - 2 * PAGE_SIZE]
        listed = [resource for page in pages for resource in page]
        assert len({resource.uri for resource in listed}) == len(DOCUMENTS)
        assert sorted(resource.size or 0 for resource in listed) == sorted(map(len, DOCUMENTS.values()))
        assert all(resource.title and resource.mime_type and resource.annotations for resource in listed)


async def test_every_listed_resource_is_read_whole(connect: Connect) -> None:
    async with connect() as client:
        read: list[bytes] = []
        for page in await all_resources(client):
            for resource in page:
                (item,) = (await client.read_resource(resource.uri)).contents
                assert (item.uri, item.mime_type) == (resource.uri, resource.mime_type)
                assert isinstance(item, BlobResourceContents) is (item.mime_type == "image/png")
                read.append(
                    item.text.encode() if isinstance(item, TextResourceContents) else b64decode(item.blob)
                )

        assert sorted(read) == sorted(DOCUMENTS.values())


async def test_templates_of_the_rules_are_listed(connect: Connect) -> None:
    async with connect() as client:
        templates = (await client.list_resource_templates()).resource_templates

        assert [template.uri_template for template in templates] == [
            "mcp://resources/patterns/{language}/{name}",
            "mcp://resources/templates/{artifact}-template",
            "mcp://resources/files/{+path}",
        ]


async def test_alias_is_read_as_the_document_of_the_default_language(connect: Connect) -> None:
    async with connect() as client:
        (item,) = (await client.read_resource("mcp://resources/patterns/core")).contents

        assert isinstance(item, TextResourceContents)
        assert item.uri == "mcp://resources/patterns/core"
        assert item.text.encode() == DOCUMENTS["python/patterns-core.md"]


async def test_variables_of_templates_are_completed(connect: Connect) -> None:
    async with connect() as client:
        ref = ResourceTemplateReference(uri="mcp://resources/patterns/{language}/{name}")

        found = await client.complete(ref, {"name": "language", "value": ""})
        narrowed = await client.complete(ref, {"name": "name", "value": "c"}, {"language": "go"})

        assert (found.completion.values, found.completion.total) == (["go", "python"], 2)
        assert (narrowed.completion.values, narrowed.completion.has_more) == (["core"], False)


async def test_template_is_a_prompt_that_is_filled_in(connect: Connect) -> None:
    async with connect() as client:
        (prompt,) = (await client.list_prompts()).prompts

        filled = await client.get_prompt(prompt.name, {"what": "R&D"})

        assert (prompt.name, prompt.title) == ("prd-template", "PRD")
        assert [argument.name for argument in prompt.arguments or ()] == ["what", "when"]
        first, note = (message.content for message in filled.messages)
        assert isinstance(first, TextContent)
        assert isinstance(note, TextContent)
        assert "<body>R&amp;D, {{when}}</body>" in first.text
        assert "{{when}}" in note.text


async def test_agent_with_tools_only_finds_and_reads_a_section(connect: Connect) -> None:
    async with connect() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools.values())
        assert (tools["read"].meta or {})["anthropic/maxResultSizeChars"] == 500_000

        listed = await client.call_tool("list", {"prefix": "patterns/go"})
        (document,) = (listed.structured_content or {})["documents"]
        outlined = await client.call_tool("outline", {"uri": document["uri"]})
        (section,) = (outlined.structured_content or {})["sections"]
        read = await client.call_tool("read", {"uri": document["uri"], "section": section["slug"]})

        text, link = read.content
        assert isinstance(text, TextContent)
        assert isinstance(link, ResourceLink)
        assert (read.structured_content or {})["text"].encode() == DOCUMENTS["go/patterns-core.md"]
        assert text.text.encode().endswith(DOCUMENTS["go/patterns-core.md"])
        assert (await client.read_resource(link.uri)).contents


async def test_tool_that_fails_tells_the_model_why(connect: Connect) -> None:
    async with connect() as client:
        failed = await client.call_tool("read", {"uri": "mcp://resources/sdlc/kore"})

        assert failed.is_error
        (text,) = failed.content
        assert isinstance(text, TextContent)
        assert "Did you mean mcp://resources/sdlc/core" in text.text
        with pytest.raises(MCPError, match="There is no tool 'raed'") as caught:
            await client.call_tool("raed", {})
        assert caught.value.code == -32602


async def test_unknown_resource_is_the_error_of_the_era(connect: Connect, mode: str) -> None:
    async with connect() as client:
        uri = "mcp://resources/sdlc/kore"

        with pytest.raises(MCPError, match="Did you mean mcp://resources/sdlc/core") as caught:
            await client.read_resource(uri)

        assert caught.value.code == (-32002 if mode == "legacy" else -32602)
        assert caught.value.data == {"uri": uri}


async def test_cursor_of_somebody_else_is_an_error(connect: Connect) -> None:
    async with connect() as client:
        with pytest.raises(MCPError, match="cursor") as caught:
            await client.list_resources(cursor="bm9uc2Vuc2U")

        assert caught.value.code == -32602
