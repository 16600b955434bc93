"""One worker's usage records: noted on the event loop, written on a thread every second or so.

The loop adds to tallies in memory; the thread takes them all and writes them in one transaction. While the
file cannot be used, tallies are kept, bounded by their keys, and one warning is logged.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import TypeVar

from choirbook.usage.clients import Client, printable
from choirbook.usage.pending import PendingUsage
from choirbook.usage.records import ClientDocumentUsage, ClientUsage, EmptySearch, ResourceUsage
from choirbook.usage.schema import IN_MEMORY
from choirbook.usage.store import UsageStore

log = logging.getLogger("choirbook.usage")

WRITE_S = 1.0
"""Delay between the first note and its writing, in seconds; a killed worker loses that much."""

CLOSE_S = 3.0
"""Maximum duration of the last write, in seconds: a worker that must stop has eight seconds for
everything."""

MAX_QUERY_CHARACTERS = 100
"""Maximum length of a recorded query, in characters."""

Row = TypeVar("Row")


class UsageLedger:
    """Counts reads.

    Args:
        path: File that all workers share; `IN_MEMORY` if there is one process only.
        is_kept: Whether it outlives the server.
        counts_clients: Whether clients and searches without results are recorded.
    """

    def __init__(
        self, path: Path | str = IN_MEMORY, *, is_kept: bool = False, counts_clients: bool = False
    ) -> None:
        self.counts_clients = counts_clients
        self._path = path
        self._is_kept = is_kept
        # Held by the loop for a few dictionary operations, never during a write.
        self._noting = threading.Lock()
        self._pending = PendingUsage()
        # Held while the file is used.
        self._using = threading.Lock()
        self._store: UsageStore | None = None
        self._unwritten = PendingUsage()
        self._has_failed = False
        self._noted = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start to write, in the serving process; repeated calls have no effect."""
        if self._thread is None:
            self._ending.clear()
            self._thread = threading.Thread(target=self._run, name="choirbook-usage", daemon=True)
            self._thread.start()

    def note(self, uri: str, reads: int, last_read_s: float, client: Client | None = None) -> None:
        """Count reads of a document; no I/O.

        Args:
            uri: Canonical, from the catalog: never a client's text.
            reads: Number of reads.
            last_read_s: Unix time of the last of them.
            client: Client that read, if clients are recorded.
        """
        with self._noting:
            self._pending.note(uri, reads, last_read_s, client if self.counts_clients else None)
        self._noted.set()

    def note_empty_search(self, query: str) -> None:
        """Count a search without results, if these are recorded; no I/O."""
        if self.counts_clients:
            with self._noting:
                self._pending.note_search(printable(query, MAX_QUERY_CHARACTERS), 1, time())
            self._noted.set()

    def note_library(self, uris: tuple[str, ...]) -> None:
        """Record all documents that are served, by canonical URI; no I/O."""
        with self._noting:
            self._pending.note_library(uris)
        self._noted.set()

    def note_change(self, added: tuple[str, ...], removed: tuple[str, ...]) -> None:
        """Record documents that were added and removed, by canonical URI; no I/O."""
        with self._noting:
            self._pending.note_change(added, removed)
        self._noted.set()

    def resources(self) -> list[ResourceUsage]:
        """Return every document that is served or was ever read, by URI.

        Blocking, like the following methods; includes what this worker has noted. Empty while the file cannot
        be used.
        """
        return self._read(UsageStore.resources)

    def clients(self) -> list[ClientUsage]:
        """Return every client, the most active first; none if clients are not recorded."""
        return self._read(UsageStore.clients)

    def loaded(self) -> list[ClientDocumentUsage]:
        """Return the reads by client and document; nothing if clients are not recorded."""
        return self._read(UsageStore.loaded)

    def empty_searches(self) -> list[EmptySearch]:
        """Return the searches without results, the most frequent first; none if they are not recorded."""
        return self._read(UsageStore.empty_searches)

    def close(self) -> None:
        """Write pending notes, and close the file."""
        thread, self._thread = self._thread, None
        self._ending.set()
        self._noted.set()
        if thread is not None:
            thread.join(CLOSE_S)
        if self._using.acquire(timeout=CLOSE_S):
            try:
                self._write()
                if self._store is not None:
                    self._store.close()
                    self._store = None
            finally:
                self._using.release()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._noted.wait()
            # Notes that arrive meanwhile are included.
            self._ending.wait(WRITE_S)
            self._noted.clear()
            with self._using:
                self._write()
            if self._unwritten:
                self._noted.set()

    def _write(self) -> None:
        """Write pending notes; the caller holds the lock of the file."""
        with self._noting:
            noted, self._pending = self._pending, PendingUsage()
        if self._unwritten:
            self._unwritten.add(noted)
        else:
            self._unwritten = noted
        if not self._unwritten:
            return
        try:
            self._open().write(self._unwritten)
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
        else:
            self._unwritten = PendingUsage()
            self._recover()

    def _read(self, ask: Callable[[UsageStore], list[Row]]) -> list[Row]:
        with self._using:
            self._write()
            try:
                return ask(self._open())
            except (sqlite3.Error, OSError) as error:
                self._fail(error)
                return []

    def _open(self) -> UsageStore:
        if self._store is not None and not self._store.is_there:
            self._store.close()
            self._store = None
        if self._store is None:
            self._store = UsageStore(self._path, is_kept=self._is_kept)
        return self._store

    def _fail(self, error: Exception) -> None:
        if self._path != IN_MEMORY and self._store is not None:
            # The open connection may be the broken part.
            self._store.close()
            self._store = None
        if not self._has_failed:
            self._has_failed = True
            log.warning(
                "cannot write usage to %s: %s. Counts are kept in memory; writing is retried every second.",
                self._path,
                error,
            )

    def _recover(self) -> None:
        if self._has_failed:
            self._has_failed = False
            log.info("usage is being written to %s again", self._path)
