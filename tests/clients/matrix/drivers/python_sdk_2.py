"""The client of the official Python SDK, 2.x."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.subscriptions import ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp_types import ResourceTemplateReference, ResourceUpdatedNotification
from pydantic import BaseModel

from tests.clients.matrix.drivers.telling import perform, run, tell

MODES = {"modern": "auto", "handshake": "legacy"}


def wire(result: BaseModel) -> Any:
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


class Driver:
    def __init__(self, client: Client, era: str, asks: dict[str, Any], updates: asyncio.Queue[str]) -> None:
        self._client = client
        self._era = era
        self._asks = asks
        self._updates = updates

    async def connect(self) -> Any:
        return {"revision": self._client.protocol_version, "version": version("mcp")}

    async def list(self) -> Any:
        pages = [await self._client.list_resources()]
        while (cursor := pages[-1].next_cursor) is not None:
            pages.append(await self._client.list_resources(cursor=cursor))
        resources = [wire(resource) for page in pages for resource in page.resources]
        return {"resources": resources, "templates": wire(await self._client.list_resource_templates())}

    async def read(self) -> Any:
        return [wire(await self._client.read_resource(uri)) for uri in self._asks["read"]]

    async def errors(self) -> Any:
        try:
            return wire(await self._client.read_resource(self._asks["missing"]))
        except MCPError as error:
            return {"error": str(error)}

    async def complete(self) -> Any:
        asked = self._asks["complete"]
        ref = ResourceTemplateReference(uri=asked["template"])
        return wire(await self._client.complete(ref, asked["argument"], asked["context"]))

    async def prompts(self) -> Any:
        listed = await self._client.list_prompts()
        return {
            "listed": wire(listed),
            "filled": wire(await self._client.get_prompt(**self._asks["prompts"])),
        }

    async def search(self) -> Any:
        tools = await self._client.list_tools()
        found = wire(await self._client.call_tool("search", self._asks["search"]))
        read = await self._client.call_tool("read", {"uri": found["structuredContent"]["results"][0]["uri"]})
        return {"tools": wire(tools), "found": found, "read": wire(read)}

    async def subscribe(self) -> Any:
        uri = self._asks["subscribe"]
        # What the client keeps of this read has to be gone after the edit.
        await self._client.read_resource(uri)
        told = await (self._listened(uri) if self._era == "modern" else self._subscribed(uri))
        return {"uri": told, "read": wire(await self._client.read_resource(uri))}

    async def _listened(self, uri: str) -> str:
        async with self._client.listen(resource_subscriptions=[uri]) as subscription:
            tell("subscribe", ready=True)
            async for event in subscription:
                if isinstance(event, ResourceUpdated):
                    return event.uri
        raise EOFError("the server ended the stream")

    async def _subscribed(self, uri: str) -> str:
        await self._client.session.subscribe_resource(uri)
        tell("subscribe", ready=True)
        return await self._updates.get()


async def main(plan: dict[str, Any]) -> None:
    updates = asyncio.Queue[str]()

    async def handle(message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            updates.put_nowait(message.params.uri)

    target = plan["url"] or StdioServerParameters(**plan["stdio"])
    async with Client(target, mode=MODES[plan["era"]], message_handler=handle) as client:
        await perform(Driver(client, plan["era"], plan["asks"], updates), plan)


if __name__ == "__main__":
    run(main)
