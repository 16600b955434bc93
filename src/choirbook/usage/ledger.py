"""One worker's ledger of what is read: noted on the event loop, written on a thread every second or so.

The loop adds to tallies in memory; the thread takes them all and writes them in one transaction. While the
file cannot be used, tallies wait, bounded by their keys, and the operator is told once.
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
from choirbook.usage.records import ClientUsage, EmptySearch, Loaded, ResourceUsage
from choirbook.usage.schema import IN_MEMORY
from choirbook.usage.store import UsageStore

log = logging.getLogger("choirbook.usage")

WRITE_S = 1.0
"""From the first note to its being written; a killed worker takes that much with it."""

CLOSE_S = 3.0
"""How long the last writing may take: a worker that is told to stop has eight seconds for everything."""

MAX_QUERY_CHARACTERS = 100
"""Of a search that found nothing."""

Row = TypeVar("Row")


class UsageLedger:
    """Counts reads.

    Args:
        path: The file that all workers share; `IN_MEMORY` where there is one process only.
        is_kept: Whether it outlives the server.
        counts_clients: Whether it is kept who reads, and what is searched for in vain.
    """

    def __init__(
        self, path: Path | str = IN_MEMORY, *, is_kept: bool = False, counts_clients: bool = False
    ) -> None:
        self.counts_clients = counts_clients
        self._path = path
        self._is_kept = is_kept
        # Held by the loop for as long as a few dictionaries take, never while something is written.
        self._noting = threading.Lock()
        self._pending = PendingUsage()
        # Held by whoever uses the file.
        self._using = threading.Lock()
        self._store: UsageStore | None = None
        self._unwritten = PendingUsage()
        self._has_failed = False
        self._noted = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write, in the process that serves; again does no harm."""
        if self._thread is None:
            self._ending.clear()
            self._thread = threading.Thread(target=self._run, name="choirbook-usage", daemon=True)
            self._thread.start()

    def note(self, uri: str, reads: int, last_read_s: float, client: Client | None = None) -> None:
        """Count reads of a document; no I/O.

        Args:
            uri: Canonical, from the catalog: never what a client wrote.
            reads: How many.
            last_read_s: Unix time of the last of them.
            client: Who read, where that is kept.
        """
        with self._noting:
            self._pending.note(uri, reads, last_read_s, client if self.counts_clients else None)
        self._noted.set()

    def note_empty_search(self, query: str) -> None:
        """Count a search that found nothing, where that is kept; no I/O."""
        if self.counts_clients:
            with self._noting:
                self._pending.note_search(printable(query, MAX_QUERY_CHARACTERS), 1, time())
            self._noted.set()

    def note_library(self, uris: tuple[str, ...]) -> None:
        """Take note of all documents that are served, by canonical URI; no I/O."""
        with self._noting:
            self._pending.note_library(uris)
        self._noted.set()

    def note_change(self, added: tuple[str, ...], removed: tuple[str, ...]) -> None:
        """Take note of documents that came and went, by canonical URI; no I/O."""
        with self._noting:
            self._pending.note_change(added, removed)
        self._noted.set()

    def resources(self) -> list[ResourceUsage]:
        """Return every document that is served or was ever read, by URI.

        Blocking, as all that follow; what this worker has noted is in it. Empty while the file cannot be
        used.
        """
        return self._read(UsageStore.resources)

    def clients(self) -> list[ClientUsage]:
        """Return every client, those that read most first; none where that is not kept."""
        return self._read(UsageStore.clients)

    def loaded(self) -> list[Loaded]:
        """Return what each client read of each document; nothing where that is not kept."""
        return self._read(UsageStore.loaded)

    def empty_searches(self) -> list[EmptySearch]:
        """Return the searches that found nothing, the most frequent first; none where that is not kept."""
        return self._read(UsageStore.empty_searches)

    def close(self) -> None:
        """Write what was noted, and let go of the file."""
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
            # What comes in meanwhile goes along.
            self._ending.wait(WRITE_S)
            self._noted.clear()
            with self._using:
                self._write()
            if self._unwritten:
                self._noted.set()

    def _write(self) -> None:
        """Write what waits; the lock of the file is held."""
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
            # What is open may be what is broken.
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
