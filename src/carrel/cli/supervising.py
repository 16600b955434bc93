"""Granian's server with a listening socket for each worker, inherited from this process.

By itself it has every worker open one of its own on the same port, and what waits in it is lost with the
worker; and it ends as a whole when a worker dies within seconds of its start, whatever killed it. The only
module that knows insides of Granian: `_init_shared_socket`, `_drop_shared_socket`, `_spawn_worker`,
`_respawn_workers`, `respawned_wrks`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from granian._granian import SocketHolder
from granian.server.mp import MPServer, WorkerProcess

from carrel.cli.listening import BACKLOG

EARLY_S = 5.0
"""A worker that lives no longer may have died of its start."""

MAX_EARLY_DEATHS = 10
"""In a row. Then the start does not work, and who supervises the server is to know."""

MAX_PAUSE_S = 1.0
"""Before a worker is replaced: others that died meanwhile are still replaced within two seconds."""

_FIRST_PAUSE_S = 0.05
_SLICE_S = 0.02


class InheritingServer(MPServer):
    """A server whose workers take over the sockets that it was given.

    Args:
        sockets: One for each worker.
        options: Of Granian's server.
    """

    def __init__(self, sockets: list[socket.socket], **options: Any) -> None:
        super().__init__(workers=len(sockets), backlog=BACKLOG, **options)
        self._sockets = sockets
        self._early_deaths = [0] * len(sockets)
        self.replaced: dict[int, WorkerProcess] = {}
        """The worker that was replaced last, by number from 0."""

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

    def _respawn_workers(
        self, workers: list[int], spawn_target: Any, target_loader: Any, delay: float = 0
    ) -> None:
        """Replace workers: after a death without a delay, for a rolling restart (SIGHUP) with one."""
        for idx in workers:
            self.replaced[idx] = self.wrks[idx]
            has_died = delay == 0
            if has_died and not self._rests(pause_s(self._count_death(idx))):
                return  # a signal ends the server
            super()._respawn_workers([idx], spawn_target, target_loader, delay)
            if self._early_deaths[idx] < MAX_EARLY_DEATHS:
                # What it finds here, it takes for the sign of a loop.
                self.respawned_wrks.pop(idx, None)

    def _count_death(self, idx: int) -> int:
        """Return how many workers died early in a row in a place, this one included."""
        is_early = time.monotonic() - self.wrks[idx].birth < EARLY_S
        self._early_deaths[idx] = self._early_deaths[idx] + 1 if is_early else 0
        return self._early_deaths[idx]

    def _rests(self, for_s: float) -> bool:
        """Wait, and tell whether the server is to go on."""
        end_s = time.monotonic() + for_s
        while time.monotonic() < end_s and not self.interrupt_signal:
            time.sleep(_SLICE_S)
        return not self.interrupt_signal


def pause_s(early_deaths: int) -> float:
    """Return how long to wait before a worker is replaced, in seconds.

    Args:
        early_deaths: Workers in its place that died early, one after the other; 0 for one that had lived.
    """
    if early_deaths == 0:
        return 0.0
    return min(MAX_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (early_deaths - 1))
