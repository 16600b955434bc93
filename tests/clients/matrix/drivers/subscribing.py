"""Code shared by drivers of clients that use the official Python SDK 2.x: spelling, and notifications."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

from mcp.client.session import ClientSession
from mcp.client.subscriptions import ResourceUpdated, Subscription
from mcp_types import ResourceUpdatedNotification
from pydantic import BaseModel

from tests.clients.matrix.drivers.telling import tell

MODES = {"modern": "auto", "handshake": "legacy"}
"""Names of the eras in both clients."""


def wire(result: BaseModel) -> Any:
    """Return a result as it was on the wire."""
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def listened(listening: AbstractAsyncContextManager[Subscription]) -> str:
    """Listen, in the modern era, until a document has changed, and return its URI."""
    async with listening as subscription:
        tell("subscribe", ready=True)
        async for event in subscription:
            if isinstance(event, ResourceUpdated):
                return event.uri
    raise EOFError("the server ended the stream")


class Updates:
    """Notifications that a client of the handshake era gets about documents, through its message handler."""

    def __init__(self) -> None:
        self._uris = asyncio.Queue[str]()

    async def handle(self, message: object) -> None:
        """Take a message."""
        if isinstance(message, ResourceUpdatedNotification):
            self._uris.put_nowait(message.params.uri)

    async def subscribed(self, session: ClientSession, uri: str) -> str:
        """Subscribe to a document, wait until it has changed, and return its URI."""
        await session.subscribe_resource(uri)
        tell("subscribe", ready=True)
        return await self._uris.get()
