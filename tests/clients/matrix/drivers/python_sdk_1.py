"""The client of the official Python SDK, 1.x."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from mcp import ClientSession, McpError, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.version import SUPPORTED_PROTOCOL_VERSIONS
from mcp.types import (
    PaginatedRequestParams,
    ResourceTemplateReference,
    ResourceUpdatedNotification,
    ServerNotification,
)
from pydantic import AnyUrl, BaseModel

from tests.clients.matrix.drivers.telling import perform, run, tell, tell_absent


def wire(result: BaseModel) -> Any:
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


class Driver:
    def __init__(
        self, session: ClientSession, revision: str, asks: dict[str, Any], updates: asyncio.Queue[str]
    ) -> None:
        self._session = session
        self._revision = revision
        self._asks = asks
        self._updates = updates

    async def connect(self) -> Any:
        return {"revision": self._revision, "version": version("mcp")}

    async def list(self) -> Any:
        pages = [await self._session.list_resources()]
        while (cursor := pages[-1].nextCursor) is not None:
            pages.append(await self._session.list_resources(params=PaginatedRequestParams(cursor=cursor)))
        resources = [wire(resource) for page in pages for resource in page.resources]
        return {"resources": resources, "templates": wire(await self._session.list_resource_templates())}

    async def read(self) -> Any:
        return [wire(await self._session.read_resource(AnyUrl(uri))) for uri in self._asks["read"]]

    async def errors(self) -> Any:
        try:
            return wire(await self._session.read_resource(AnyUrl(self._asks["missing"])))
        except McpError as error:
            return {"error": str(error)}

    async def complete(self) -> Any:
        asked = self._asks["complete"]
        ref = ResourceTemplateReference(type="ref/resource", uri=asked["template"])
        return wire(await self._session.complete(ref, asked["argument"], asked["context"]))

    async def prompts(self) -> Any:
        listed = await self._session.list_prompts()
        filled = await self._session.get_prompt(**self._asks["prompts"])
        return {"listed": wire(listed), "filled": wire(filled)}

    async def search(self) -> Any:
        tools = await self._session.list_tools()
        found = wire(await self._session.call_tool("search", self._asks["search"]))
        read = await self._session.call_tool("read", {"uri": found["structuredContent"]["results"][0]["uri"]})
        return {"tools": wire(tools), "found": found, "read": wire(read)}

    async def subscribe(self) -> Any:
        uri = AnyUrl(self._asks["subscribe"])
        await self._session.subscribe_resource(uri)
        tell("subscribe", ready=True)
        told = await self._updates.get()
        return {"uri": told, "read": wire(await self._session.read_resource(uri))}


@asynccontextmanager
async def connected(plan: dict[str, Any]) -> AsyncIterator[tuple[Any, Any]]:
    if plan["url"]:
        async with streamable_http_client(plan["url"]) as (read, write, _):
            yield read, write
    else:
        async with stdio_client(StdioServerParameters(**plan["stdio"])) as (read, write):
            yield read, write


async def main(plan: dict[str, Any]) -> None:
    if plan["era"] == "modern":
        assert not any(revision >= "2026" for revision in SUPPORTED_PROTOCOL_VERSIONS)
        tell_absent(plan, f"it speaks {', '.join(SUPPORTED_PROTOCOL_VERSIONS)}")
        return
    updates = asyncio.Queue[str]()

    async def handle(message: object) -> None:
        if isinstance(message, ServerNotification) and isinstance(message.root, ResourceUpdatedNotification):
            updates.put_nowait(str(message.root.params.uri))

    async with (
        connected(plan) as (read, write),
        ClientSession(read, write, message_handler=handle) as session,
    ):
        revision = str((await session.initialize()).protocolVersion)
        await perform(Driver(session, revision, plan["asks"], updates), plan)


if __name__ == "__main__":
    run(main)
