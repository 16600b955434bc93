"""Sessions of all workers of one server, in one SQLite file. Blocking: used on a thread.

It holds what must outlive a worker: the sessions, when each was last used, its subscriptions, and the worker
that holds its stream. Nothing must outlive the server, so nothing is synced to the disk. Times are those of
the system's monotonic clock, which all processes share.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from choirbook.errors import InvalidParams, Overloaded, QuotaExceeded, SessionNotFound, StreamTaken
from choirbook.runtime.quotas import EVERYONE

IN_MEMORY: Final = ":memory:"
"""Used instead of a path if there is one process only."""

BUSY_S = 5.0
"""Maximum wait for another worker's write, in seconds; a write takes some ten microseconds."""

SESSION_BYTES = 256 * 1024
"""Maximum size of one session's subscriptions, in bytes: a thousand URIs of usual length."""

STORE_BYTES = 16 * 1024 * 1024
"""Maximum size of all sessions and their subscriptions, in bytes. The file has up to 2.5 times that: long
rows fill half a page."""

_ROW_BYTES = 96
"""Approximate size of a row in addition to its text, in bytes."""

_ALL = "*"
"""Key of the totals in the table of holdings; no peer has this name."""

_SCHEMA = """
create table if not exists session (
    id text primary key,
    used_s real not null,
    holder text,
    client text,
    peer text not null,
    bytes integer not null
) without rowid;
create index if not exists by_use on session (used_s);
create index if not exists by_peer on session (peer, used_s);
create table if not exists holding (
    peer text primary key,
    sessions integer not null,
    bytes integer not null
) without rowid;
create trigger if not exists session_begins after insert on session begin
    insert into holding values (new.peer, 1, new.bytes), ('*', 1, new.bytes)
        on conflict do update set sessions = sessions + 1, bytes = bytes + excluded.bytes;
end;
create trigger if not exists session_grows after update of bytes on session begin
    update holding set bytes = bytes + new.bytes - old.bytes where peer in (new.peer, '*');
end;
create trigger if not exists session_ends after delete on session begin
    update holding set sessions = sessions - 1, bytes = bytes - old.bytes where peer in (old.peer, '*');
    delete from holding where peer = old.peer and sessions = 0;
end;
create table if not exists subscription (
    session text not null references session (id) on delete cascade,
    uri text not null,
    primary key (session, uri)
) without rowid;
"""


class Holding(NamedTuple):
    """Amounts that one peer holds, or all of them together."""

    sessions: int
    bytes: int


class SessionStore:
    """One worker's access to the file.

    A peer is text that identifies the sessions of one client, never its address; `EVERYONE` has no share.

    Args:
        path: Path of the file, or `IN_MEMORY`.
        max_sessions: Maximum number of sessions; a further one ends one of the peer that has most.
        max_subscriptions: Maximum number of subscriptions of a session.
        fraction: Fraction of all sessions and of `STORE_BYTES` that one peer may hold, see
            `choirbook.runtime.quotas`.

    Raises:
        sqlite3.Error: The file cannot be used; all methods may raise this.
    """

    def __init__(
        self, path: Path | str, max_sessions: int, max_subscriptions: int, fraction: float = 1.0
    ) -> None:
        self._max_sessions = max_sessions
        self._is_limited = fraction < 1
        self._sessions_each = max(1, int(max_sessions * fraction))
        self._bytes_each = int(STORE_BYTES * fraction)
        self.refused = 0
        """Number of times that a peer wanted more sessions or subscriptions than its share, through this
        object."""
        self._max_subscriptions = max_subscriptions
        # Used by one thread at a time, though not always the same.
        self._connection = sqlite3.connect(path, BUSY_S, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode = wal", "synchronous = off", "foreign_keys = on"):
            self._connection.execute(f"pragma {pragma}")
        self._connection.executescript(_SCHEMA)

    def begin(self, id_: str, now_s: float, client: str | None = None, peer: str = EVERYONE) -> list[str]:
        """Add a session.

        Args:
            id_: Id of the session.
            now_s: Start of the session, in seconds of the monotonic clock.
            client: Description of the client that began it.
            peer: Peer that began it.

        Returns:
            The ids of the sessions that had to end for it: of the same peer if it has reached its share,
            otherwise of one that has most.
        """
        size = _ROW_BYTES + len(id_) + len(client or "")
        with self._transaction():
            self._connection.execute(
                "insert into session values (?, ?, null, ?, ?, ?)", (id_, now_s, client, peer, size)
            )
            ended: list[str] = []
            if self._is_limited and peer != EVERYONE:
                excess = self.holding(peer).sessions - self._sessions_each
                self.refused += excess > 0
                ended += self._end_oldest(peer, excess, id_)
            for _ in range(self.count() - self._max_sessions):
                ended += self._end_of_greatest(id_)
            return ended

    def holding(self, peer: str = _ALL) -> Holding:
        """Return the holdings of a peer, or of all peers together."""
        row = self._connection.execute(
            "select sessions, bytes from holding where peer = ?", (peer,)
        ).fetchone()
        return Holding(0, 0) if row is None else Holding(*row)

    def peers_at_limit(self) -> int:
        """Return the number of peers that have reached their share of sessions."""
        if not self._is_limited:
            return 0
        (count,) = self._connection.execute(
            "select count(*) from holding where sessions >= ? and peer not in (?, ?)",
            (self._sessions_each, EVERYONE, _ALL),
        ).fetchone()
        return int(count)

    def client(self, id_: str) -> str | None:
        """Return the description of the client that began a session."""
        row = self._connection.execute("select client from session where id = ?", (id_,)).fetchone()
        return None if row is None else row[0]

    def end(self, id_: str) -> bool:
        """End a session; return whether it existed."""
        with self._transaction():
            return bool(self._end_all([id_]))

    def expire(self, before_s: float) -> list[str]:
        """End the sessions that were last used before a time, and return their ids."""
        with self._transaction():
            idle = self._connection.execute("select id from session where used_s < ?", (before_s,)).fetchall()
            return self._end_all(row[0] for row in idle)

    def touch(self, ids: Iterable[str], now_s: float) -> list[str]:
        """Record that sessions are in use.

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
            InvalidParams: The session has reached its limit of subscriptions, in number or length.
            QuotaExceeded: Its peer has reached its quota.
            Overloaded: All peers together have reached the limit.
        """
        with self._transaction():
            holder = self._holder(id_)
            added = self._connection.execute("insert or ignore into subscription values (?, ?)", (id_, uri))
            if added.rowcount:
                self._grow(id_, _size_of(uri))
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
        """Remove a subscription; returns and raises the same as `subscribe`."""
        with self._transaction():
            holder = self._holder(id_)
            found = self._connection.execute(
                "delete from subscription where session = ? and uri = ?", (id_, uri)
            )
            if found.rowcount:
                self._connection.execute(
                    "update session set bytes = bytes - ? where id = ?", (_size_of(uri), id_)
                )
            return holder

    def claim(self, id_: str, worker: str, is_alive: Callable[[str], bool]) -> None:
        """Make a worker the holder of a session's stream.

        Args:
            id_: Id of the session.
            worker: Name of the worker.
            is_alive: Returns whether another worker is running.

        Raises:
            SessionNotFound: The session has ended.
            StreamTaken: A running worker holds its stream.
        """
        with self._transaction():
            holder = self._holder(id_)
            if holder is not None and (holder == worker or is_alive(holder)):
                raise stream_taken()
            self._connection.execute("update session set holder = ? where id = ?", (worker, id_))

    def release(self, id_: str, worker: str, now_s: float) -> None:
        """Undo a `claim`."""
        self._connection.execute(
            "update session set holder = null, used_s = ? where id = ? and holder = ?", (now_s, id_, worker)
        )

    def subscriptions(self, id_: str) -> list[str] | None:
        """Return the URIs that a session subscribed to, or None if it has ended."""
        if self._connection.execute("select 1 from session where id = ?", (id_,)).fetchone() is None:
            return None
        rows = self._connection.execute("select uri from subscription where session = ?", (id_,))
        return [row[0] for row in rows]

    def count(self) -> int:
        """Return the number of sessions."""
        return self.holding().sessions

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _holder(self, id_: str) -> str | None:
        row = self._connection.execute("select holder from session where id = ?", (id_,)).fetchone()
        if row is None:
            raise no_session()
        holder: str | None = row[0]
        return holder

    def _grow(self, id_: str, size: int) -> None:
        """Count a subscription, or raise the errors of `subscribe`."""
        self._connection.execute("update session set bytes = bytes + ? where id = ?", (size, id_))
        session_bytes, peer = self._connection.execute(
            "select bytes, peer from session where id = ?", (id_,)
        ).fetchone()
        if session_bytes > SESSION_BYTES:
            raise InvalidParams(
                f"The session's subscriptions take more than {SESSION_BYTES} bytes. Unsubscribe from one of "
                "them."
            )
        if self._is_limited and peer != EVERYONE and self.holding(peer).bytes > self._bytes_each:
            self.refused += 1
            raise QuotaExceeded(
                "The sessions of your address have reached its limit of subscriptions. End a session."
            )
        if self.holding().bytes > STORE_BYTES:
            raise Overloaded("The server has reached its limit of subscriptions. Try again later.")

    def _end_oldest(self, peer: str, count: int, but: str) -> list[str]:
        # Those with a stream go last: a client is waiting at its other end.
        rows = self._connection.execute(
            "select id from session where peer = ? and id != ? order by holder is not null, used_s limit ?",
            (peer, but, max(0, count)),
        ).fetchall()
        return self._end_all(row[0] for row in rows)

    def _end_of_greatest(self, but: str) -> list[str]:
        """End a session of one of the peers that have most of them."""
        rows = self._connection.execute(
            "select id from session where id != ? and peer in (select peer from holding where peer != ? and "
            "sessions = (select max(sessions) from holding where peer != ?)) "
            "order by holder is not null, used_s limit 1",
            (but, _ALL, _ALL),
        ).fetchall()
        return self._end_all(row[0] for row in rows)

    def _end_all(self, ids: Iterable[str]) -> list[str]:
        delete = "delete from session where id = ?"
        return [id_ for id_ in ids if self._connection.execute(delete, (id_,)).rowcount]

    def _transaction(self) -> _Transaction:
        return _Transaction(self._connection)


class _Transaction:
    """A transaction that takes the write lock at once: taken later, it may be refused for another's."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("begin immediate")

    def __exit__(self, kind: object, *_: object) -> None:
        self._connection.execute("commit" if kind is None else "rollback")


def _size_of(uri: str) -> int:
    return _ROW_BYTES + len(uri.encode())


def stream_taken() -> StreamTaken:
    """Create the error for a second stream of a session."""
    return StreamTaken(
        "The session already has an open stream, which receives all notifications. Close it first, or "
        "start another session."
    )


def no_session() -> SessionNotFound:
    """Create the error for an unknown session id."""
    return SessionNotFound(
        "There is no session with this id; it may have ended. Send initialize to start one."
    )
