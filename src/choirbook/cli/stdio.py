"""`choirbook stdio`: the app for one client, over the process's own pipes."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from io import RawIOBase
from typing import BinaryIO

import msgspec

from choirbook.app import Application
from choirbook.library.scanner import load_catalog, open_library
from choirbook.mcp.stdio.server import StdioServer
from choirbook.observe import operator_log
from choirbook.observe.log_writer import LineWriter
from choirbook.observe.shared_metrics import SharedMetrics
from choirbook.settings import Settings
from choirbook.usage.schema import require_place

CLOSE_S = 5.0
"""Maximum time in seconds for a client to read its last answers."""


def serve_stdio(settings: Settings) -> None:
    """Serve until stdin ends, or stdout is closed by its reader.

    Raises:
        StartupError: Settings or library cannot be used.
    """
    require_place(settings.usage)
    # They cannot be requested here, and an agent's idle servers must not wake up for them.
    settings = msgspec.structs.replace(settings, metrics=False)
    # Whatever prints in this process, now or later, must not mix with the protocol: the protocol keeps the
    # real stdout, and stdout of everything else becomes stderr.
    protocol_out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    writer = LineWriter()
    for_people = operator_log.is_for_people(settings.log_format)
    operator_log.install(writer, operator_log.LEVELS[settings.log_level], for_people=for_people)
    source, rules = open_library(settings.root, settings.max_document_bytes, is_near=settings.source_is_near)
    catalog, _ = load_catalog(source, rules)
    app = Application(settings, source, catalog, SharedMetrics(), writer)
    with open(0, "rb", buffering=0, closefd=False) as protocol_in:
        asyncio.run(_serve(app, settings, protocol_in, protocol_out))


async def _serve(
    app: Application, settings: Settings, protocol_in: RawIOBase, protocol_out: BinaryIO
) -> None:
    async with app.lifespan():
        server = StdioServer(
            app.calls,
            app.library,
            app.streams,
            protocol_in,
            protocol_out,
            settings.max_body_bytes,
            app.record,
        )
        # A signal is a normal end here: agents stop their servers this way.
        serving = asyncio.create_task(server.serve())
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
        with suppress(asyncio.CancelledError):
            await serving
        app.streams.close()
        await server.close(CLOSE_S)
