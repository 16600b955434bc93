"""FastMCP's client. What it has no method for goes through the session of the SDK that it hands out."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from mcp.client.subscriptions import listen
from mcp.shared.exceptions import MCPError
from mcp_types import ResourceTemplateReference

from tests.clients.matrix.drivers.subscribing import MODES, Updates, listened, wire
from tests.clients.matrix.drivers.telling import perform, run


class Driver:
    def __init__(self, client: Client[Any], era: str, asks: dict[str, Any], updates: Updates) -> None:
        self._client = client
        self._era = era
        self._asks = asks
        self._updates = updates

    async def connect(self) -> Any:
        return {"revision": self._client.session.protocol_version, "version": version("fastmcp")}

    async def list(self) -> Any:
        templates = await self._client.list_resource_templates()
        return {
            "resources": [wire(resource) for resource in await self._client.list_resources()],
            "templates": {"resourceTemplates": [wire(template) for template in templates]},
        }

    async def read(self) -> Any:
        return [await self._read(uri) for uri in self._asks["read"]]

    async def _read(self, uri: str) -> Any:
        return {"contents": [wire(item) for item in await self._client.read_resource(uri)]}

    async def errors(self) -> Any:
        try:
            return await self._read(self._asks["missing"])
        except MCPError as error:
            return {"error": str(error)}

    async def complete(self) -> Any:
        asked = self._asks["complete"]
        ref = ResourceTemplateReference(uri=asked["template"])
        completion = await self._client.complete(ref, asked["argument"], asked["context"])
        return {"completion": wire(completion)}

    async def prompts(self) -> Any:
        listed = await self._client.list_prompts()
        filled = await self._client.get_prompt(**self._asks["prompts"])
        return {"listed": {"prompts": [wire(prompt) for prompt in listed]}, "filled": wire(filled)}

    async def search(self) -> Any:
        tools = await self._client.list_tools()
        found = await self._client.call_tool("search", self._asks["search"])
        results = (found.structured_content or {})["results"]
        read = await self._client.call_tool("read", {"uri": results[0]["uri"]})
        return {
            "tools": {"tools": [wire(tool) for tool in tools]},
            "found": {"structuredContent": found.structured_content},
            "read": {"structuredContent": read.structured_content},
        }

    async def subscribe(self) -> Any:
        uri = self._asks["subscribe"]
        if self._era == "modern":
            told = await listened(listen(self._client.session, resource_subscriptions=[uri]))
        else:
            told = await self._updates.subscribed(self._client.session, uri)
        return {"uri": told, "read": await self._read(uri)}


async def main(plan: dict[str, Any]) -> None:
    updates = Updates()
    stdio = plan["stdio"]
    transport: StreamableHttpTransport | StdioTransport = (
        StreamableHttpTransport(plan["url"]) if plan["url"] else StdioTransport(**stdio, keep_alive=False)
    )
    async with Client(transport, mode=MODES[plan["era"]], message_handler=updates.handle) as client:
        await perform(Driver(client, plan["era"], plan["asks"], updates), plan)


if __name__ == "__main__":
    run(main)
