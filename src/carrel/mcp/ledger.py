"""The sessions of all workers of one server, in one SQLite file. Blocking: used on a thread.

It holds what has to outlive a worker: which sessions there are, when each was last used, what it subscribed
to, and which worker holds its stream. Nothing has to outlive the server, so nothing is synced to the disk.
Times are those of the system's monotonic clock, which all processes share.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from carrel.errors import InvalidParams, SessionNotFound, StreamTaken

IN_MEMORY: Final = ":memory:"
"""In place of a path, where there is one process only."""

BUSY_S = 5.0
"""How long one worker waits for another's writing, which takes some ten microseconds."""

_SCHEMA = """
create table if not exists session (
    id text primary key,
    used_s real not null,
    holder text,
    client text
) without rowid;
create index if not exists by_use on session (used_s);
create table if not exists subscription (
    session text not null references session (id) on delete cascade,
    uri text not null,
    primary key (session, uri)
) without rowid;
"""


class Ledger:
    """One worker's way to the file.

    Args:
        path: The file, or `IN_MEMORY`.
        max_sessions: How many are kept; a further one puts out those that were used longest ago.
        max_subscriptions: How many each may have.

    Raises:
        sqlite3.Error: The file cannot be used; so may all methods.
    """

    def __init__(self, path: Path | str, max_sessions: int, max_subscriptions: int) -> None:
        self._max_sessions = max_sessions
        self._max_subscriptions = max_subscriptions
        # One thread at a time, though not always the same.
        self._connection = sqlite3.connect(path, BUSY_S, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode = wal", "synchronous = off", "foreign_keys = on"):
            self._connection.execute(f"pragma {pragma}")
        self._connection.executescript(_SCHEMA)

    def begin(self, id_: str, now_s: float, client: str | None = None) -> list[str]:
        """Add a session.

        Args:
            id_: The session's.
            now_s: When it begins.
            client: What is to be known of who began it.

        Returns:
            The ids of those that had to end for it.
        """
        with self._transaction():
            self._connection.execute("insert into session values (?, ?, null, ?)", (id_, now_s, client))
            (count,) = self._connection.execute("select count(*) from session").fetchone()
            # Those with a stream go last: somebody waits at its other end.
            put_out = self._connection.execute(
                "select id from session where id != ? order by holder is not null, used_s limit ?",
                (id_, max(0, count - self._max_sessions)),
            ).fetchall()
            return self._end_all(row[0] for row in put_out)

    def client(self, id_: str) -> str | None:
        """Return what is known of who began a session."""
        row = self._connection.execute("select client from session where id = ?", (id_,)).fetchone()
        return None if row is None else row[0]

    def end(self, id_: str) -> bool:
        """End a session; tells whether there was one."""
        with self._transaction():
            return bool(self._end_all([id_]))

    def expire(self, before_s: float) -> list[str]:
        """End the sessions that were last used before a time, and return their ids."""
        with self._transaction():
            idle = self._connection.execute("select id from session where used_s < ?", (before_s,)).fetchall()
            return self._end_all(row[0] for row in idle)

    def touch(self, ids: Iterable[str], now_s: float) -> list[str]:
        """Note that sessions are in use.

        Returns:
            The ids of those that have ended.
        """
        ended: list[str] = []
        with self._transaction():
            for id_ in ids:
                done = self._connection.execute("update session set used_s = ? where id = ?", (now_s, id_))
                if not done.rowcount:
                    ended.append(id_)
        return ended

    def subscribe(self, id_: str, uri: str) -> str | None:
        """Add a subscription.

        Returns:
            The worker that holds the session's stream, if one does.

        Raises:
            SessionNotFound: The session has ended.
            InvalidParams: It has as many as it may.
        """
        with self._transaction():
            holder = self._holder(id_)
            self._connection.execute("insert or ignore into subscription values (?, ?)", (id_, uri))
            (count,) = self._connection.execute(
                "select count(*) from subscription where session = ?", (id_,)
            ).fetchone()
            if count > self._max_subscriptions:
                raise InvalidParams(
                    f"The session has {self._max_subscriptions} subscriptions already. "
                    "Unsubscribe from one of them."
                )
            return holder

    def unsubscribe(self, id_: str, uri: str) -> str | None:
        """Take a subscription back; returns and raises what `subscribe` does."""
        with self._transaction():
            holder = self._holder(id_)
            self._connection.execute("delete from subscription where session = ? and uri = ?", (id_, uri))
            return holder

    def claim(self, id_: str, worker: str, is_alive: Callable[[str], bool]) -> None:
        """Make a worker the holder of a session's stream.

        Args:
            id_: The session's.
            worker: The worker's name.
            is_alive: Tells whether another worker still runs.

        Raises:
            SessionNotFound: The session has ended.
            StreamTaken: A worker that runs holds its stream.
        """
        with self._transaction():
            holder = self._holder(id_)
            if holder is not None and (holder == worker or is_alive(holder)):
                raise stream_taken()
            self._connection.execute("update session set holder = ? where id = ?", (worker, id_))

    def release(self, id_: str, worker: str, now_s: float) -> None:
        """Take a `claim` back."""
        self._connection.execute(
            "update session set holder = null, used_s = ? where id = ? and holder = ?", (now_s, id_, worker)
        )

    def subscriptions(self, id_: str) -> list[str] | None:
        """Return the URIs that a session subscribed to, or None when it has ended."""
        if self._connection.execute("select 1 from session where id = ?", (id_,)).fetchone() is None:
            return None
        rows = self._connection.execute("select uri from subscription where session = ?", (id_,))
        return [row[0] for row in rows]

    def count(self) -> int:
        """Return the number of sessions."""
        (count,) = self._connection.execute("select count(*) from session").fetchone()
        return int(count)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _holder(self, id_: str) -> str | None:
        row = self._connection.execute("select holder from session where id = ?", (id_,)).fetchone()
        if row is None:
            raise no_session()
        holder: str | None = row[0]
        return holder

    def _end_all(self, ids: Iterable[str]) -> list[str]:
        delete = "delete from session where id = ?"
        return [id_ for id_ in ids if self._connection.execute(delete, (id_,)).rowcount]

    def _transaction(self) -> _Transaction:
        return _Transaction(self._connection)


class _Transaction:
    """Takes the right to write at once: one that is taken later may be refused for another's."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("begin immediate")

    def __exit__(self, kind: object, *_: object) -> None:
        self._connection.execute("commit" if kind is None else "rollback")


def stream_taken() -> StreamTaken:
    """Make the error for a second stream of a session."""
    return StreamTaken(
        "The session has an open stream, which is told everything. Close it first, or start another session."
    )


def no_session() -> SessionNotFound:
    """Make the error for an id of no session."""
    return SessionNotFound("There is no session of this id; it may have ended. Send initialize to start one.")
