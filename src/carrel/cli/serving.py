"""`carrel serve`: check, greet, and run the app under Granian."""

from __future__ import annotations

import errno
import logging
import re
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from carrel.app import Application
from carrel.catalog import Catalog
from carrel.cli import hosting
from carrel.cli.greeting import greet
from carrel.errors import AddressUnavailable, InvalidLibrary, InvalidSettings
from carrel.http.edge import LOOPBACK_HOSTS
from carrel.observe import operator_log
from carrel.observe.cells import Cells
from carrel.observe.lines import LineWriter
from carrel.settings import Settings
from carrel.sources.filesystem import FilesystemSource
from carrel.surveying import load_catalog, open_library

if TYPE_CHECKING:
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
    settings = msgspec.structs.replace(settings, port=_claim_port(settings))
    greet(settings, catalog, problems)
    _run(settings, source, catalog)


def _claim_port(settings: Settings) -> int:
    """Return the port to listen on, after seeing that it is free.

    Granian's workers listen with SO_REUSEPORT, so that a second server on the same port would not
    fail but take half of the first one's connections.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            if error.errno == errno.EADDRINUSE:
                raise AddressUnavailable(
                    f"{where} is in use by another program. Stop it, or choose another port with --port."
                ) from error
            raise AddressUnavailable(f"Cannot listen on {where}: {error.strerror or error}.") from error
        port: int = probe.getsockname()[1]
        return port


def _run(settings: Settings, source: FilesystemSource, catalog: Catalog) -> None:
    # Workers inherit the catalog and the metric cells by fork: no document is described twice, and all
    # count into one memory.
    cells = Cells(settings.workers)
    server = hosting.make_server("carrel", settings.port, settings.host, settings.workers)
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
