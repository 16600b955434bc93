"""End of a worker: by order of its server, never by a signal to its whole process group.

Ctrl+C reaches every process of a terminal's group, and systemd sends SIGTERM to every process of a service. A
worker that ended by itself then would close connections that the server is about to drain, and the server
would treat it as a crash. So a worker leaves SIGINT and SIGTERM to the server, and ends on `END`, which only
the server sends. When the server is gone, nothing else can end a worker, and both signals do.

Depends on private parts of Granian, like `supervisor` and `scheduler`: `_signals.set_loop_signals`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import FrameType
from typing import Any

from choirbook.servers.shutdown import END

# As values: private parts have no types.
_granian: Any = import_module("granian._granian")
_signals: Any = import_module("granian._signals")


def end_on_order(server_pid: int) -> None:
    """Make the worker that starts in this process end on its server's order.

    Args:
        server_pid: Process id of the server.
    """
    _signals.set_loop_signals = partial(_set_loop_signals, server_pid)


def _set_loop_signals(server_pid: int, loop: asyncio.AbstractEventLoop) -> Any:
    """Return the event that ends Granian's worker, replacing Granian's own function."""
    event = _granian.WorkerSignal()
    stop: Callable[[], None] = event.set
    loop.add_signal_handler(END, stop)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, partial(_leave_to_server, server_pid))
    return event


def _leave_to_server(server_pid: int, _number: int, _frame: FrameType | None) -> None:
    if os.getppid() != server_pid:
        os.kill(os.getpid(), END)
