"""The client of the official Python SDK, 2.x."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp_types import ResourceTemplateReference

from tests.clients.matrix.drivers.subscribing import MODES, Updates, listened, wire
from tests.clients.matrix.drivers.telling import perform, run


class Driver:
    def __init__(self, client: Client, era: str, asks: dict[str, Any], updates: Updates) -> None:
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
        if self._era == "modern":
            told = await listened(self._client.listen(resource_subscriptions=[uri]))
        else:
            told = await self._updates.subscribed(self._client.session, uri)
        return {"uri": told, "read": wire(await self._client.read_resource(uri))}


async def main(plan: dict[str, Any]) -> None:
    updates = Updates()
    target = plan["url"] or StdioServerParameters(**plan["stdio"])
    async with Client(target, mode=MODES[plan["era"]], message_handler=updates.handle) as client:
        await perform(Driver(client, plan["era"], plan["asks"], updates), plan)


if __name__ == "__main__":
    run(main)
