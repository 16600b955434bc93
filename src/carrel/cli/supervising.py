"""Granian's server with a listening socket for each worker, inherited from this process.

By itself it has every worker open one of its own on the same port, and what waits in it is lost with the
worker. The only module that knows insides of Granian: `_init_shared_socket`, `_drop_shared_socket`,
`_spawn_worker`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from granian._granian import SocketHolder
from granian.server.mp import MPServer, WorkerProcess

from carrel.cli.listening import BACKLOG


class InheritingServer(MPServer):
    """A server whose workers take over the sockets that it was given.

    Args:
        sockets: One for each worker.
        options: Of Granian's server.
    """

    def __init__(self, sockets: list[socket.socket], **options: Any) -> None:
        super().__init__(workers=len(sockets), backlog=BACKLOG, **options)
        self._sockets = sockets

    def _init_shared_socket(self) -> None:
        """Have nothing opened."""
        self._ssp = self._sso = None

    def _drop_shared_socket(self) -> None:
        for each in self._sockets:
            each.close()

    def _spawn_worker(  # type: ignore[override] # as Granian's own of processes does
        self, idx: int, target: Callable[..., Any], callback_loader: Callable[[], Any]
    ) -> WorkerProcess:
        own = self._sockets[idx]
        self._shd = SocketHolder(own.fileno(), False, BACKLOG)  # type: ignore[call-arg, assignment]

        def load() -> Any:
            # In the worker. A socket listens until all who have it have closed it, so a worker that stops
            # would leave clients waiting at the copies of the others. Its own is Granian's now.
            for each in self._sockets:
                if each is own:
                    each.detach()
                else:
                    each.close()
            return callback_loader()

        return super()._spawn_worker(idx, target, load)
