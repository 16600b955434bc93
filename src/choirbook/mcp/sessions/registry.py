"""One worker's way to the ledger of sessions, and to the other workers that use it.

The ledger blocks, so it is used on a thread of its own, by one call at a time, in the order of the calls.
What other workers have to know at once, notes tell them (`workers/rpc`).
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from choirbook.errors import Overloaded
from choirbook.mcp.sessions.store import IN_MEMORY, Ledger
from choirbook.mcp.subscriptions import MAX_URIS
from choirbook.runtime.exhaustion import is_short
from choirbook.runtime.threads import Threads
from choirbook.workers.rpc import Neighbours

log = logging.getLogger("choirbook.mcp.sessions")

_LEDGER = "sessions.sqlite"
_ENDED, _SUBSCRIBED = "session-ended", "session-subscribed"
"""Topics of notes."""

_Found = TypeVar("_Found")


class Registry:
    """Uses the ledger.

    Args:
        directory: What all workers share; None where there is one process only.
        neighbours: The way to the other workers.
        max_sessions: How many there may be; 0 for none.
        on_count: Called when their number may have changed.
        fraction: How much of them one peer may hold.
    """

    def __init__(
        self,
        directory: Path | None,
        neighbours: Neighbours,
        max_sessions: int,
        on_count: Callable[[], None],
        fraction: float = 1.0,
    ) -> None:
        self._fraction = fraction
        self._directory = directory
        self._neighbours = neighbours
        self._max_sessions = max_sessions
        self._on_count = on_count
        self._thread = Threads(1)
        self._ledger: Ledger | None = None
        self.count = 0
        """Number of sessions of all workers, at the last check."""
        self.refused = 0
        """Number of times that a peer wanted more than its share from this worker, since the start."""
        self.peers_at_share = 0
        """Number of peers that had reached their share of sessions at the last check."""

    @property
    def name(self) -> str:
        """Name of this worker in the ledger."""
        return self._neighbours.name

    def is_alive(self, worker: str) -> bool:
        """Return whether another worker is running; blocking, so call it in a `run`."""
        return self._neighbours.is_alive(worker)

    def start(self, on_end: Callable[[str], None], on_subscribe: Callable[[str], None]) -> None:
        """Begin to hear of what other workers did.

        Args:
            on_end: Called with the id of a session that one of them has ended.
            on_subscribe: Called with that of one whose subscriptions one of them has changed.
        """
        self._neighbours.on_note(_ENDED, lambda note: on_end(note.decode()))
        self._neighbours.on_note(_SUBSCRIBED, lambda note: on_subscribe(note.decode()))

    async def stop(self) -> None:
        """Stop receiving, and close the ledger."""
        self._neighbours.stop_hearing(_ENDED, _SUBSCRIBED)
        await self._thread.run(self._close)
        self._thread.close()

    async def run(self, use: Callable[[Ledger], _Found]) -> _Found:
        """Call a function with the ledger, on its thread.

        Raises:
            Overloaded: The ledger cannot be used.
        """
        try:
            found, self.count = await self._thread.run(self._use, use)
        except (sqlite3.Error, OSError) as error:
            # SQLite names no errno.
            if is_short():
                log.warning("no session is kept until there is a file descriptor for the ledger: %s", error)
            else:
                log.exception("cannot use the session store")
            raise Overloaded("Sessions are unavailable at the moment; continue without one.") from error
        self._on_count()
        return found

    async def tell_of_subscriptions(self, worker: str, id_: str) -> None:
        """Tell the worker that holds a session's stream that its subscriptions have changed."""
        await self._thread.run(self._neighbours.tell, worker, _SUBSCRIBED, id_.encode())

    def ring_out(self, ended: Iterable[str]) -> None:
        """Tell the other workers which sessions have ended; blocking, so call it in a `run`."""
        for id_ in ended:
            self._neighbours.tell_others(_ENDED, id_.encode())

    def _use(self, use: Callable[[Ledger], _Found]) -> tuple[_Found, int]:
        if self._ledger is None:
            path = IN_MEMORY if self._directory is None else self._directory / _LEDGER
            self._ledger = Ledger(path, self._max_sessions, MAX_URIS, self._fraction)
        try:
            found = use(self._ledger)
        finally:
            self.refused = self._ledger.refused
        return found, self._ledger.count()

    def _close(self) -> None:
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None
