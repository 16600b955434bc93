"""The app in this process, reached through its ASGI side."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from choirbook.app import Application, FeatureMaker, ToolMaker
from choirbook.catalog.catalog import Catalog
from choirbook.library.library import Library
from choirbook.library.scanner import open_library
from choirbook.model import Source
from choirbook.observe.log_writer import LineWriter
from choirbook.observe.shared_metrics import SharedMetrics
from choirbook.settings import Settings

BASE = "http://127.0.0.1:8000"

_NOWHERE = os.open(os.devnull, os.O_WRONLY)


@dataclass(frozen=True)
class Served:
    """A library that is served."""

    app: Application
    client: httpx.AsyncClient
    root: Path

    @property
    def library(self) -> Library:
        return self.app.library

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Get a path; `if_none_match="..."` becomes a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.get(path, headers=named)

    async def text(self, path: str) -> str:
        """Return the document's own text, or "" where there is none."""
        response = await self.get(path, accept="text/*")
        return response.text if response.status_code == 200 else ""

    async def metrics(self) -> str:
        return (await self.client.get("/metrics")).text


def has(served: Served, uri: str) -> Callable[[], bool]:
    """Return a condition: there is a document of this URI."""
    return lambda: served.library.catalog.find(uri) is not None


def lacks(served: Served, uri: str) -> Callable[[], bool]:
    """Return a condition: there is none."""
    return lambda: served.library.catalog.find(uri) is None


def application(
    root: Path,
    *,
    source: Source | None = None,
    catalog: Catalog | None = None,
    cells: SharedMetrics | None = None,
    writer: LineWriter | None = None,
    shared: Path | None = None,
    admin: socket.socket | None = None,
    more_tools: Sequence[ToolMaker] = (),
    more_features: Sequence[FeatureMaker] = (),
    **settings: Any,
) -> Application:
    """Compose an app whose log goes nowhere; `source` stands in for the directory's own.

    The catalog is an empty one when None.
    """
    chosen = Settings(root=root, **{"watch": False, "rescan_s": 60.0, **settings})
    own, rules = open_library(root, chosen.max_document_bytes, is_near=chosen.source_is_near)
    catalog, writer = catalog or Catalog(rules), writer or LineWriter(_NOWHERE)
    return Application(
        chosen,
        source or own,
        catalog,
        cells or SharedMetrics(),
        writer,
        shared,
        admin=admin,
        tools=more_tools,
        features=more_features,
    )


@asynccontextmanager
async def serving(root: Path, **options: Any) -> AsyncIterator[Served]:
    """Serve a directory; options are those of `application`.

    Nothing follows the directory unless the settings say so, so that no test depends on when it does.
    """
    # Composing reads files; a server does it before its loop runs.
    app = await asyncio.to_thread(lambda: application(root, **options))
    transport = httpx.ASGITransport(app)
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        await app.library.wait_ready()
        yield Served(app, client, root)
