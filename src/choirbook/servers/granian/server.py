"""Granian with Choirbook's settings, in one place, so that comparisons run with exactly the same settings.

Granian is imported on use: commands that do not serve do without it.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

    from choirbook.servers.granian.supervisor import InheritingServer

HEADER_READ_TIMEOUT_MS = 10_000
MAX_HEADER_BYTES = 64 * 1024
WORKER_STOP_S = 8
"""Time in seconds after which a worker that is still answering is killed, so that the server stops within ten
seconds."""


def make_server(name: str, sockets: list[socket.socket], connections: int | None = None) -> InheritingServer:
    """Return a server that is not running yet; its workers inherit by fork what this process has created.

    Args:
        name: Name of the app in Granian's log lines.
        sockets: Listening sockets, see `sockets.listen`; one for each worker.
        connections: Maximum number of concurrent connections per process; further ones wait. Granian's
            default if None.
    """
    from granian.constants import HTTPModes, Interfaces, Loops
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    from choirbook.servers.granian.supervisor import InheritingServer

    multiprocessing.set_start_method("fork", force=True)
    return InheritingServer(
        sockets,
        target=name,
        interface=Interfaces.RSGI,
        loop=Loops.uvloop if sys.platform != "win32" else Loops.auto,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEADER_READ_TIMEOUT_MS, max_buffer_size=MAX_HEADER_BYTES
        ),
        websockets=False,
        backpressure=connections,
        respawn_failed_workers=True,
        workers_kill_timeout=WORKER_STOP_S,
        log_level=LogLevels.warning,
        log_dictconfig=_logging(),
    )


def run(server: InheritingServer, load_app: Callable[[], Any]) -> None:
    """Serve until a signal.

    Args:
        server: Server that `make_server` returned.
        load_app: Creates the app, in each worker.
    """
    server.serve(target_loader=load_app, wrap_loader=False)


def _logging() -> dict[str, Any]:
    """Return logging settings that keep stdout clean and pass the lines to the root logger."""
    return {
        "handlers": {"console": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr"}},
        "formatters": {},
        "loggers": {"_granian": {"handlers": [], "level": "WARNING", "propagate": True}},
    }
