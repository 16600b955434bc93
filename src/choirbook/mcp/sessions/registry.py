"""One worker's access to the ledger of sessions, and to the other workers that use it.

The ledger blocks, so it is used on a thread of its own, by one call at a time, in the order of the calls.
Urgent news is sent to the other workers as messages.
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
from choirbook.runtime.threads import Threads
from choirbook.workers.mailbox import Bell

log = logging.getLogger("choirbook.mcp.sessions")

_LEDGER = "sessions.sqlite"
_ENDED, _SUBSCRIBED = b"e", b"s"

_Found = TypeVar("_Found")


class Registry:
    """Asynchronous access to the ledger.

    Args:
        directory: Shared by all workers; None if there is one process only.
        max_sessions: Maximum number of sessions; 0 for none.
        on_count: Called when their number may have changed.
        fraction: Fraction of them that one peer may hold.
    """

    def __init__(
        self,
        directory: Path | None,
        max_sessions: int,
        on_count: Callable[[], None],
        fraction: float = 1.0,
    ) -> None:
        self._fraction = fraction
        self._directory = directory
        self._max_sessions = max_sessions
        self._on_count = on_count
        self._thread = Threads(1)
        self._ledger: Ledger | None = None
        self._bell: Bell | None = None
        self.count = 0
        """Number of sessions of all workers, at the last check."""
        self.refused = 0
        """Number of times that a peer wanted more than its share from this worker, since the start."""
        self.peers_at_share = 0
        """Number of peers that had reached their share of sessions at the last check."""

    @property
    def name(self) -> str:
        """Name of this worker in the ledger."""
        return self._bell.name if self._bell is not None else "only"

    def is_alive(self, worker: str) -> bool:
        """Return whether another worker is running; blocking, so call it in a `run`."""
        return self._bell is not None and self._bell.is_alive(worker)

    async def start(self, on_end: Callable[[str], None], on_subscribe: Callable[[str], None]) -> None:
        """Start to receive from other workers, on the running event loop.

        Args:
            on_end: Called with the id of a session that another worker has ended.
            on_subscribe: Called with the id of a session whose subscriptions another worker has changed.
        """
        if self._directory is None or not self._max_sessions:
            return
        calls = {_ENDED: on_end, _SUBSCRIBED: on_subscribe}

        def hear(message: bytes) -> None:
            call = calls.get(message[:1])
            if call is not None:
                call(message[1:].decode("ascii", "replace"))

        self._bell = await self._thread.run(Bell, self._directory)
        self._bell.listen(hear)

    async def stop(self) -> None:
        """Stop receiving, and close the ledger."""
        if self._bell is not None:
            self._bell.deafen()
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
            log.exception("the sessions' ledger cannot be used")
            raise Overloaded("Sessions cannot be kept at the moment; go on without one.") from error
        self._on_count()
        return found

    async def tell_of_subscriptions(self, worker: str, id_: str) -> None:
        """Tell the worker that holds a session's stream that its subscriptions have changed."""
        if self._bell is not None:
            await self._thread.run(self._bell.ring, worker, _SUBSCRIBED + id_.encode())

    def ring_out(self, ended: Iterable[str]) -> None:
        """Tell the other workers which sessions have ended; blocking, so call it in a `run`."""
        if self._bell is not None:
            for id_ in ended:
                self._bell.ring_others(_ENDED + id_.encode())

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
        if self._bell is not None:
            self._bell.close()
            self._bell = None
