"""Granian's server with a listening socket for each worker, inherited from this process.

By default each worker opens a socket of its own on the same port, and connections pending in it are lost with
the worker; and the whole server ends when a worker dies within seconds of its start, whatever killed it. With
`scheduler` and `worker_signals`, the only module that depends on private parts of Granian:
`_init_shared_socket`, `_drop_shared_socket`, `_spawn_worker`, `_respawn_workers`, `respawned_wrks`,
`signal_handler_interrupt`.

Nor does Granian announce to a worker that it will be stopped: a connection that was just accepted, or is
about to be, is closed without an answer. Here a worker first accepts nothing more, and ends a moment later.
It ends on the server's order only (`worker_signals`), so a signal to the whole process group counts as one to
the server.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from granian._granian import SocketHolder
from granian.server.mp import MPServer, WorkerProcess

from choirbook.servers.granian.drain import drain, stop_accepting
from choirbook.servers.granian.scheduler import install_scheduler
from choirbook.servers.granian.sockets import BACKLOG
from choirbook.servers.granian.worker_signals import end_on_order
from choirbook.servers.shutdown import END, LEAVE

EARLY_S = 5.0
"""Lifetime in seconds below which a worker's death may be due to its startup."""

MAX_EARLY_DEATHS = 10
"""Maximum number of early deaths in a row. Then startup does not work, and the supervisor of the server must
know."""

MAX_PAUSE_S = 1.0
"""Longest pause before a worker is replaced, in seconds: others that died meanwhile are still replaced within
two seconds."""

LEAVING_S = 0.25
"""Time for requests on the connections that a worker accepted last, in seconds; all answers close their
connection."""

REPEAT_S = 0.5
"""Minimum time between two Ctrl+C, in seconds: some launchers repeat a signal from the terminal."""

_FIRST_PAUSE_S = 0.05
_SLICE_S = 0.02


class InheritingServer(MPServer):
    """A server whose workers inherit the given sockets.

    Args:
        sockets: One for each worker.
        options: Options of Granian's server.
    """

    def __init__(self, sockets: list[socket.socket], **options: Any) -> None:
        super().__init__(workers=len(sockets), backlog=BACKLOG, **options)
        self._sockets = sockets
        self._early_deaths = [0] * len(sockets)
        self.replaced: dict[int, WorkerProcess] = {}
        """Last replaced worker by number, from 0."""
        self.is_forced = False
        """Whether a second Ctrl+C ended the workers before they had answered everything."""
        self._interrupted_s: float | None = None
        self._server_pid = os.getpid()

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """Stop; at a second Ctrl+C without waiting for requests in flight."""
        if os.getpid() != self._server_pid:
            return  # a worker that has just started and inherited this; its server controls it
        now_s = time.monotonic()
        if self._interrupted_s is None:
            self._interrupted_s = now_s
        elif args[:1] == (signal.SIGINT,) and now_s - self._interrupted_s >= REPEAT_S:
            self.is_forced = True
            for worker in (*self.wrks, *self.replaced.values()):
                worker.interrupt_by_parent = True
                _send(worker, signal.SIGKILL)
        super().signal_handler_interrupt(*args, **kwargs)  # type: ignore[no-untyped-call]

    def _init_shared_socket(self) -> None:
        """Open no sockets."""
        self._ssp = self._sso = None

    def _drop_shared_socket(self) -> None:
        drain(self._sockets)
        _signal_leave(self.wrks)
        for each in self._sockets:
            each.close()
        # From here on connections are refused.
        time.sleep(LEAVING_S)

    def _spawn_worker(  # type: ignore[override] # as Granian's own of processes does
        self, idx: int, target: Callable[..., Any], callback_loader: Callable[[], Any]
    ) -> WorkerProcess:
        own = self._sockets[idx]
        self._shd = SocketHolder(own.fileno(), False, BACKLOG)  # type: ignore[call-arg, assignment]

        def load() -> Any:
            # In the worker. A socket listens until all its holders have closed it, so clients of a stopped
            # worker would be left waiting at the copies of the others. Its own belongs to Granian now.
            for each in self._sockets:
                if each is own:
                    signal.signal(LEAVE, partial(_on_leave, each.detach()))
                else:
                    each.close()
            end_on_order(self._server_pid)
            app = callback_loader()
            begin = getattr(app, "begin", None)
            if begin is not None:
                install_scheduler(begin)
            return app

        worker = super()._spawn_worker(idx, target, load)
        worker.terminate = partial(_order_end, worker)  # type: ignore[method-assign]
        return worker

    def _respawn_workers(
        self, workers: list[int], spawn_target: Any, target_loader: Any, delay: float = 0
    ) -> None:
        """Replace workers: after a death without a delay, for a rolling restart (SIGHUP) with one."""
        for idx in workers:
            self.replaced[idx] = self.wrks[idx]
            has_died = delay == 0
            if has_died and not self._pause(pause_s(self._count_death(idx))):
                return  # a signal ends the server
            if self.interrupt_signal:
                return  # a stop does not wait for the rest of a rolling restart
            if not has_died:
                self._announce_end(self.wrks[idx], delay)
            super()._respawn_workers([idx], spawn_target, target_loader)
            if self._early_deaths[idx] < MAX_EARLY_DEATHS:
                # Granian would take entries here as the sign of a crash loop.
                self.respawned_wrks.pop(idx, None)

    def _announce_end(self, worker: WorkerProcess, delay_s: float) -> None:
        """Make a worker stop accepting before it ends. Its replacement answers pending connections.

        Args:
            worker: The old worker.
            delay_s: Time for the new one to start, in seconds; a stop of the server cuts it short.
        """
        end: Callable[[], None] = worker.terminate

        def leave_and_end() -> None:
            self._pause(delay_s)
            _signal_leave([worker])
            time.sleep(LEAVING_S)
            end()

        worker.terminate = leave_and_end  # type: ignore[method-assign]

    def _count_death(self, idx: int) -> int:
        """Return the number of early deaths in a row in one place, this one included."""
        is_early = time.monotonic() - self.wrks[idx].birth < EARLY_S
        self._early_deaths[idx] = self._early_deaths[idx] + 1 if is_early else 0
        return self._early_deaths[idx]

    def _pause(self, for_s: float) -> bool:
        """Wait, and return whether the server is to continue."""
        end_s = time.monotonic() + for_s
        while time.monotonic() < end_s and not self.interrupt_signal:
            time.sleep(_SLICE_S)
        return not self.interrupt_signal


def pause_s(early_deaths: int) -> float:
    """Return the pause before a worker is replaced, in seconds.

    Args:
        early_deaths: Number of consecutive early deaths in its place; 0 if the worker had lived longer.
    """
    if early_deaths == 0:
        return 0.0
    return min(MAX_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (early_deaths - 1))


def _signal_leave(workers: Iterable[WorkerProcess]) -> None:
    for worker in workers:
        _send(worker, LEAVE)


def _order_end(worker: WorkerProcess) -> None:
    worker.interrupt_by_parent = True
    _send(worker, END)


def _send(worker: WorkerProcess, number: int) -> None:
    if worker.inner.is_alive():
        with suppress(ProcessLookupError):
            os.kill(worker.inner.pid, number)


def _on_leave(descriptor: int, _number: int, _frame: object) -> None:
    # Without a spare descriptor it continues to accept, and the latest connections are closed with the rest.
    with suppress(OSError):
        stop_accepting(descriptor)
