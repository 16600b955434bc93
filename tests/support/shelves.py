"""A catalog to put documents into, and streams over it; a client's end is a list of what it was sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from choirbook.catalog.catalog import Catalog
from choirbook.catalog.changeset import Document
from choirbook.errors import Era
from choirbook.mcp.client_stream import ClientStream
from choirbook.mcp.open_streams import OpenStreams
from choirbook.model import SourceEntry, Version
from tests.support.waiting import eventually


class Client:
    """One client's end of a stream."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.comments = 0
        self.keeps_up = True
        self.is_over = False

    def send(self, messages: Sequence[bytes]) -> bool:
        assert not self.is_over
        self.got += map(json.loads, messages)
        return self.keeps_up

    def keep_alive(self) -> None:
        self.comments += 1

    def end(self) -> None:
        self.is_over = True

    @property
    def told(self) -> list[str]:
        """URIs that changed, and `list` for the listing."""
        return [each.get("params", {}).get("uri", "list") for each in self.got if "method" in each]


class Shelf:
    """A catalog to put documents into."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._versions = 0

    def put(self, *names: str) -> None:
        self._versions += 1
        version = Version(str(self._versions))
        self.catalog.apply(
            (f"{name}.txt", Document(SourceEntry(f"{name}.txt", version, 1, 1), "text/plain", name, ""))
            for name in names
        )

    def remove(self, *names: str) -> None:
        self.catalog.apply((f"{name}.txt", None) for name in names)


def uri(name: str) -> str:
    return f"mcp://resources/files/{name}.txt"


def opened(
    streams: OpenStreams, *names: str, wants_list: bool = False, **more: Any
) -> tuple[ClientStream, Client]:
    """Open a stream that watches documents."""
    stream, client = ClientStream(streams, Era.HANDSHAKE, None, wants_list=wants_list, **more), Client()
    for name in names:
        stream.watch(uri(name), uri(name))
    stream.open(client)
    return stream, client


async def settled(streams: OpenStreams) -> None:
    """Wait until all changes so far were told."""
    await eventually(lambda: streams.is_idle)
