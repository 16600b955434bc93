"""`carrel serve`: check, greet, and run the app under Granian."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from carrel.app import Application
from carrel.catalog import Catalog
from carrel.cli import hosting
from carrel.cli.greeting import greet
from carrel.cli.listening import listen, port_of
from carrel.errors import InvalidLibrary, InvalidSettings
from carrel.http.edge import LOOPBACK_HOSTS
from carrel.observe import operator_log
from carrel.observe.cells import Cells
from carrel.observe.lines import LineWriter
from carrel.settings import Settings
from carrel.sources.filesystem import FilesystemSource
from carrel.surveying import load_catalog, open_library

if TYPE_CHECKING:
    import socket

    from granian.server.common import AbstractServer

_KILLING = re.compile(r"Killing worker-(\d+) after")


def serve(settings: Settings) -> None:
    """Serve until a signal.

    Raises:
        StartupError: Settings, library or address cannot be used.
    """
    if not settings.is_loopback() and not settings.public:
        raise InvalidSettings(
            f"{settings.host} can be reached from other machines, and nobody has to log in. "
            "Pass --public if that is what you want, or leave --host out."
        )
    if settings.is_loopback():
        settings = msgspec.structs.replace(
            settings, allowed_hosts=(*LOOPBACK_HOSTS, *(settings.allowed_hosts or ()))
        )
    source, rules = open_library(settings.root, settings.max_document_bytes)
    catalog, problems = load_catalog(source, rules)
    if not len(catalog):
        raise InvalidLibrary(
            f"The directory {settings.root} has no documents that could be served. "
            "Put files into it, or run 'carrel check' to see what is left out and why."
        )
    sockets = listen(settings.host, settings.port, settings.workers)
    settings = msgspec.structs.replace(settings, port=port_of(sockets))
    greet(settings, catalog, problems)
    _run(settings, source, catalog, sockets)


def _run(
    settings: Settings, source: FilesystemSource, catalog: Catalog, sockets: list[socket.socket]
) -> None:
    # Workers inherit the catalog and the metric cells by fork: no document is described twice, and all
    # count into one memory.
    cells = Cells(settings.workers)
    server = hosting.make_server("carrel", sockets)
    sys.stdout.flush()
    parent_writer = LineWriter()
    operator_log.install(parent_writer)
    logging.getLogger("_granian").addFilter(lambda record: _is_true(record, server))

    def load_app() -> Application:
        # In the worker: threads do not survive a fork, so the writer is made here.
        writer = LineWriter()
        operator_log.install(writer)
        return Application(settings, source, catalog, cells, writer)

    try:
        hosting.run(server, load_app)
    finally:
        parent_writer.close()


def _is_true(record: logging.LogRecord, server: AbstractServer[Any]) -> bool:
    """Tell whether a line of Granian's is so.

    It says that it kills a worker which did not stop, also when the worker had just ended: two of its
    threads wait for one process, and the one that comes second takes it for alive.
    """
    match = _KILLING.match(record.getMessage())
    return match is None or _runs(server.wrks[int(match[1]) - 1].inner.pid)


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"
