"""Access of one worker to the session store, and notes to the other workers that use it.

The store blocks, so it is used on a thread of its own, by one call at a time, in the order of the calls.
Changes that other workers must know at once are sent to them as notes (`workers/rpc`).
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from choirbook.errors import Overloaded
from choirbook.mcp.sessions.store import IN_MEMORY, SessionStore
from choirbook.mcp.subscriptions import MAX_URIS
from choirbook.runtime.exhaustion import is_short
from choirbook.runtime.threads import Threads
from choirbook.workers.rpc import WorkerRpc

log = logging.getLogger("choirbook.mcp.sessions")

_FILE = "sessions.sqlite"
_ENDED, _SUBSCRIBED = "session-ended", "session-subscribed"
"""Topics of notes."""

_Found = TypeVar("_Found")


class SessionRegistry:
    """Uses the session store.

    Args:
        directory: Directory shared by all workers; None if there is one process only.
        rpc: Calls the other workers.
        max_sessions: Maximum number of sessions; 0 for none.
        on_count: Called when the number of sessions may have changed.
        fraction: Fraction of all sessions that one peer may hold.
    """

    def __init__(
        self,
        directory: Path | None,
        rpc: WorkerRpc,
        max_sessions: int,
        on_count: Callable[[], None],
        fraction: float = 1.0,
    ) -> None:
        self._fraction = fraction
        self._directory = directory
        self._rpc = rpc
        self._max_sessions = max_sessions
        self._on_count = on_count
        self._thread = Threads(1)
        self._store: SessionStore | None = None
        self.count = 0
        """Number of sessions of all workers, at the last check."""
        self.refused = 0
        """Number of times that a peer wanted more than its share from this worker, since the start."""
        self.peers_at_limit = 0
        """Number of peers that had reached their share of sessions at the last check."""

    @property
    def name(self) -> str:
        """Name of this worker in the store."""
        return self._rpc.name

    def is_alive(self, worker: str) -> bool:
        """Return whether another worker is running; blocking, so call it in a `run`."""
        return self._rpc.is_alive(worker)

    def start(self, on_end: Callable[[str], None], on_subscribe: Callable[[str], None]) -> None:
        """Start to receive notes of other workers.

        Args:
            on_end: Called with the id of a session that another worker has ended.
            on_subscribe: Called with the id of a session whose subscriptions another worker has changed.
        """
        self._rpc.on_note(_ENDED, lambda note: on_end(note.decode()))
        self._rpc.on_note(_SUBSCRIBED, lambda note: on_subscribe(note.decode()))

    async def stop(self) -> None:
        """Stop receiving, and close the store."""
        self._rpc.stop_notes(_ENDED, _SUBSCRIBED)
        await self._thread.run(self._close)
        self._thread.close()

    async def run(self, use: Callable[[SessionStore], _Found]) -> _Found:
        """Call a function with the store, on its thread.

        Raises:
            Overloaded: The store cannot be used.
        """
        try:
            found, self.count = await self._thread.run(self._use, use)
        except (sqlite3.Error, OSError) as error:
            # SQLite names no errno.
            if is_short():
                log.warning("no session is kept until there is a file descriptor for the store: %s", error)
            else:
                log.exception("cannot use the session store")
            raise Overloaded("Sessions are unavailable at the moment; continue without one.") from error
        self._on_count()
        return found

    async def notify_holder(self, worker: str, id_: str) -> None:
        """Notify the worker that holds a session's stream that its subscriptions have changed."""
        await self._thread.run(self._rpc.send_note, worker, _SUBSCRIBED, id_.encode())

    def announce_ended(self, ended: Iterable[str]) -> None:
        """Notify the other workers which sessions have ended; blocking, so call it in a `run`."""
        for id_ in ended:
            self._rpc.send_note_to_others(_ENDED, id_.encode())

    def _use(self, use: Callable[[SessionStore], _Found]) -> tuple[_Found, int]:
        if self._store is None:
            path = IN_MEMORY if self._directory is None else self._directory / _FILE
            self._store = SessionStore(path, self._max_sessions, MAX_URIS, self._fraction)
        try:
            found = use(self._store)
        finally:
            self.refused = self._store.refused
        return found, self._store.count()

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
