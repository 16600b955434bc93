"""`choirbook serve`: check settings, print the startup message, and run the app under Granian."""

from __future__ import annotations

import logging
import re
import resource
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from choirbook.admin.socket import listening_for_admin, spelled
from choirbook.admin.token import with_token
from choirbook.app import Application
from choirbook.catalog.catalog import Catalog
from choirbook.cli.banner import greet
from choirbook.cli.output import complain
from choirbook.composition.secrets import with_redis_secrets
from choirbook.errors import InvalidLibrary, InvalidSettings
from choirbook.http.allowed_hosts import hosts_of
from choirbook.library.scanner import load_catalog, open_library
from choirbook.observe import operator_log
from choirbook.observe.log_writer import LineWriter
from choirbook.observe.shared_metrics import SharedMetrics
from choirbook.redis.client import require_client_library
from choirbook.servers.connection_limits import BESIDE_STREAMS
from choirbook.servers.granian import server as granian_server
from choirbook.servers.granian.malloc import keep_freed_memory
from choirbook.servers.granian.sockets import listen, port_of
from choirbook.settings import Settings
from choirbook.sources.filesystem import FilesystemSource
from choirbook.usage.schema import require_place

if TYPE_CHECKING:
    import socket

    from choirbook.servers.granian.supervisor import InheritingServer

log = logging.getLogger("choirbook.cli")

FILES_BESIDE_STREAMS = BESIDE_STREAMS + 512
"""File descriptors of a worker beside its streams: connections of other requests, and its own files."""

FORCED_EXIT_CODE = 128 + signal.SIGINT
"""Exit code of a forced stop, as shells report it for Ctrl+C."""

_KILLING = re.compile(r"Killing (old )?worker-(\d+) after")


def serve(settings: Settings) -> None:
    """Serve until a signal.

    Raises:
        StartupError: Settings, library or address cannot be used.
    """
    if not settings.is_loopback() and not settings.public:
        raise InvalidSettings(
            f"{settings.host} is reachable from other machines, and clients need no login. Pass --public to "
            "allow this, or omit --host."
        )
    settings = msgspec.structs.replace(settings, allowed_hosts=hosts_of(settings))
    settings = msgspec.structs.replace(settings, dashboard=settings.serves_dashboard)
    if settings.redis_url:
        # Checked here, as the workers create the connection, and each would fail separately.
        require_client_library()
        settings = with_redis_secrets(settings)
    require_place(settings.usage)
    settings = with_token(settings)
    source, rules = open_library(settings.root, settings.max_document_bytes, is_near=settings.source_is_near)
    catalog, problems = load_catalog(source, rules)
    if not len(catalog):
        raise InvalidLibrary(
            f"The directory {settings.root} has no documents to serve. Add files to it, or run 'choirbook "
            "check' to see which files are left out and why."
        )
    sockets = listen(settings.host, settings.port, settings.workers, stall_s=settings.stall_s)
    settings = msgspec.structs.replace(
        settings, port=port_of(sockets), max_streams=_make_room(settings.max_streams)
    )
    with listening_for_admin(settings) as admin:
        greet(settings, catalog, problems, None if admin is None else spelled(settings, admin))
        _run(settings, source, catalog, sockets, admin)


def _make_room(max_streams: int) -> int:
    """Raise the limit of open files as far as the streams of a worker need.

    Returns:
        The number of streams there is room for: fewer than requested if the system allows no more files.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max_streams + FILES_BESIDE_STREAMS
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    room = max(allowed - FILES_BESIDE_STREAMS, allowed // 2)
    if room < max_streams:
        log.warning(
            "a process may open only %d files here, so at most %d streams are kept open. Raise 'ulimit -n' "
            "to allow more.",
            allowed,
            room,
        )
    return min(room, max_streams)


def _run(
    settings: Settings,
    source: FilesystemSource,
    catalog: Catalog,
    sockets: list[socket.socket],
    admin: socket.socket | None,
) -> None:
    # Workers inherit the catalog and the metric cells by fork: no document is described twice, and all
    # workers count in the same memory.
    cells = SharedMetrics(settings.workers)
    # Streams are connections that stay open; others must find room beside them.
    server = granian_server.make_server("choirbook", sockets, settings.max_streams + BESIDE_STREAMS)
    sys.stdout.flush()
    parent_writer = LineWriter()
    level, for_people = (
        operator_log.LEVELS[settings.log_level],
        operator_log.is_for_people(settings.log_format),
    )
    operator_log.install(parent_writer, level, for_people=for_people)
    logging.getLogger("_granian").addFilter(lambda record: _is_true(record, server))

    with TemporaryDirectory(prefix="choirbook-", ignore_cleanup_errors=True) as shared:

        def load_app() -> Application:
            keep_freed_memory()
            # In the worker: threads do not survive a fork, so the writer is created here.
            writer = LineWriter()
            operator_log.install(writer, level, for_people=for_people)
            return Application(settings, source, catalog, cells, writer, Path(shared), admin=admin)

        try:
            granian_server.run(server, load_app)
            _take_leave(server, for_people=for_people)
        finally:
            parent_writer.close()


def _take_leave(server: InheritingServer, *, for_people: bool) -> None:
    """Report that the server has stopped: nothing else distinguishes this from a crash.

    Raises:
        SystemExit: Requests in flight were aborted.
    """
    message = "Stopped."
    if server.is_forced:
        message = "Stopped immediately after the second signal: requests in flight were not answered."
    if for_people:
        complain(message)
    else:
        log.info(message)
    if server.is_forced:
        sys.exit(FORCED_EXIT_CODE)


def _is_true(record: logging.LogRecord, server: InheritingServer) -> bool:
    """Return whether a log line of Granian's is true.

    It reports that it kills a worker which did not stop, even if the worker had just ended: two of its
    threads wait for one process, and the second one assumes that it is alive.
    """
    match = _KILLING.match(record.getMessage())
    if match is None:
        return True
    idx = int(match[2]) - 1
    return _runs((server.replaced[idx] if match[1] else server.wrks[idx]).inner.pid)


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"
