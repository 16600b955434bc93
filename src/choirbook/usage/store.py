"""SQLite file of the usage records, shared by all workers of a server. Blocking: used on a thread.

Each write is one transaction of few statements, whose rows are passed as one JSON text: the interpreter is
free for the event loop while SQLite processes them.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from choirbook.usage.clients import MAX_CLIENTS, OTHER, Client
from choirbook.usage.pending import MAX_SEARCHES, PendingUsage
from choirbook.usage.reports import UsageReader
from choirbook.usage.schema import BUSY_S, IN_MEMORY, set_up

MAX_KEPT_PAIRS = 200_000
"""Maximum number of pairs of client and document; beyond it reads count for the document and for the client
alone."""


# `where true` keeps SQLite from parsing "on conflict" as a join's condition.
_ADD_READS = """
insert into resource
    select json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), 0
    from json_each(?) where true
    on conflict do update set reads = reads + excluded.reads,
        last_read_s = max(coalesce(last_read_s, 0), excluded.last_read_s)
"""
_ADD_SERVED = """
insert into resource select value, 0, null, 1 from json_each(?) where true
    on conflict do update set is_served = 1 where not is_served
"""
_ALL_GONE = """
update resource set is_served = 0 where is_served and uri not in (select value from json_each(?))
"""
_GONE = "update resource set is_served = 0 where uri in (select value from json_each(?))"
_FORGET_GONE = "delete from resource where not is_served and reads = 0"
_ADD_CLIENT = """
insert into client (name, version, reads, last_read_s) values (?, ?, ?, ?)
    on conflict do update set reads = reads + excluded.reads,
        last_read_s = max(last_read_s, excluded.last_read_s)
    returning id
"""
_ADD_LOADED = """
insert into loaded
    select json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
        json_extract(value, '$[3]')
    from json_each(?) where true
    on conflict do update set reads = reads + excluded.reads,
        last_read_s = max(last_read_s, excluded.last_read_s)
"""
_KNOWN_PAIR = "select 1 from loaded where client = ? and uri = ?"
_ADD_SEARCHES = """
insert into empty_search
    select json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
    from json_each(?) where true
    on conflict do update set count = count + excluded.count, last_s = max(last_s, excluded.last_s)
"""
_FORGET_SEARCHES = """
delete from empty_search
    where query in (select query from empty_search order by last_s desc limit -1 offset ?)
"""


class UsageStore(UsageReader):
    """Connection to the file.

    Args:
        path: File, created if it does not exist; or `IN_MEMORY`.
        is_kept: Whether it must survive a crash of the machine.
        max_pairs: See `MAX_KEPT_PAIRS`.

    Raises:
        sqlite3.Error: The file cannot be used; all methods may raise this.
        OSError: It cannot be created.
    """

    def __init__(self, path: Path | str, *, is_kept: bool = False, max_pairs: int = MAX_KEPT_PAIRS) -> None:
        self._max_pairs = max_pairs
        if path != IN_MEMORY:
            # Accessible only to its owner: queries are private. The files that SQLite puts beside it get the
            # same mode.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        self._path = path
        # Used by one thread at a time, though not always the same.
        super().__init__(sqlite3.connect(path, BUSY_S, isolation_level=None, check_same_thread=False))
        try:
            self._set_up("normal" if is_kept else "off")
            self._identity = self._look()
        except BaseException:
            self._connection.close()
            raise

    def _set_up(self, synchronous: str) -> None:
        execute = self._connection.execute
        execute(f"pragma synchronous = {synchronous}")
        # Checked and created in one step: all workers of a server start at the same time.
        execute("begin immediate")
        set_up(self._connection)
        execute("commit")
        # The mode stays with the file. If another worker is setting it, this one finds it set the next time.
        with suppress(sqlite3.OperationalError):
            execute("pragma journal_mode = wal")

    @property
    def is_there(self) -> bool:
        """Whether the file is still the one that was opened: somebody may have moved it."""
        return self._look() == self._identity

    def _look(self) -> tuple[int, int] | None:
        if self._path == IN_MEMORY:
            return None
        try:
            stat = Path(self._path).stat()
        except FileNotFoundError:
            return (0, 0)
        return stat.st_dev, stat.st_ino

    def write(self, pending: PendingUsage) -> None:
        """Add pending counts, in one transaction."""
        execute = self._connection.execute
        execute("begin immediate")
        try:
            execute(_ADD_READS, (_rows([[u, t.count, t.last_s] for u, t in pending.resources.items()]),))
            self._write_library(pending)
            self._write_clients(pending)
            if pending.searches:
                rows = [[query, t.count, t.last_s] for query, t in pending.searches.items()]
                execute(_ADD_SEARCHES, (_rows(rows),))
                execute(_FORGET_SEARCHES, (MAX_SEARCHES,))
            execute("commit")
        except BaseException:
            # A full disk may have ended the transaction already.
            with suppress(sqlite3.Error):
                execute("rollback")
            raise

    def _write_library(self, pending: PendingUsage) -> None:
        execute = self._connection.execute
        if pending.library is not None:
            uris = _rows(pending.library)
            execute(_ALL_GONE, (uris,))
            execute(_ADD_SERVED, (uris,))
        for is_served, statement in ((True, _ADD_SERVED), (False, _GONE)):
            changed = [uri for uri, is_now in pending.served.items() if is_now is is_served]
            if changed:
                execute(statement, (_rows(changed),))
        if pending.library is not None or pending.served:
            execute(_FORGET_GONE)

    def _write_clients(self, pending: PendingUsage) -> None:
        rows = []
        by_client: dict[Client, list[tuple[str, int, float]]] = {}
        for (client, uri), tally in pending.loaded.items():
            by_client.setdefault(client, []).append((uri, tally.count, tally.last_s))
        for client, loaded in by_client.items():
            reads, last_s = sum(count for _, count, _ in loaded), max(last for _, _, last in loaded)
            id_ = self._add_client(client, reads, last_s)
            rows += [[id_, *each] for each in loaded]
        if not rows:
            return
        room = self._max_pairs - self._count("loaded")
        if len(rows) > room:
            rows = self._fitting(rows, room)
        self._connection.execute(_ADD_LOADED, (_rows(rows),))

    def _fitting(self, rows: list[list[Any]], room: int) -> list[list[Any]]:
        """Return the rows that exist already, and as many new ones as there is room for."""
        known: list[list[Any]] = []
        new: list[list[Any]] = []
        for row in rows:
            is_known = self._connection.execute(_KNOWN_PAIR, row[:2]).fetchone()
            (known if is_known else new).append(row)
        return known + new[: max(0, room)]

    def _add_client(self, client: Client, reads: int, last_s: float) -> int:
        execute = self._connection.execute
        names = (client.name, client.version)
        is_known = execute("select 1 from client where name = ? and version = ?", names).fetchone()
        if not is_known and self._count("client") >= MAX_CLIENTS:
            names = (OTHER.name, OTHER.version)
        (id_,) = execute(_ADD_CLIENT, (*names, reads, last_s)).fetchone()
        return int(id_)

    def _count(self, table: str) -> int:
        (count,) = self._connection.execute(f"select count(*) from {table}").fetchone()  # noqa: S608 # ours
        return int(count)


def _rows(values: Any) -> str:
    return msgspec.json.encode(values).decode()
