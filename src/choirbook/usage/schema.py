"""Format of a usage file: location, tables, and identification."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from choirbook.errors import InvalidSettings

FILE_NAME = "usage.sqlite"
"""Name of the file in a server's own directory, if no path is given."""

IN_MEMORY: Final = ":memory:"
"""Used instead of a path if there is one process only and nothing must be kept."""

BUSY_S = 2.0
"""Maximum wait for another worker's write, in seconds; a worker that must stop has little more time."""

_APPLICATION = 0x43524C55
"""Marks the file as ours (https://www.sqlite.org/pragma.html#pragma_application_id)."""
_SCHEMA_VERSION = 1

_SCHEMA = """
create table if not exists resource (
    uri text primary key,
    reads integer not null,
    last_read_s real,
    is_served integer not null
) without rowid;
create table if not exists client (
    id integer primary key,
    name text not null,
    version text not null,
    reads integer not null,
    last_read_s real not null,
    unique (name, version)
);
create table if not exists loaded (
    client integer not null references client (id),
    uri text not null,
    reads integer not null,
    last_read_s real not null,
    primary key (client, uri)
) without rowid;
create table if not exists empty_search (
    query text primary key,
    count integer not null,
    last_s real not null
) without rowid;
"""


class NotAUsageFile(sqlite3.DatabaseError):
    """The file is a database of another program, or of a later Choirbook."""


def set_up(connection: sqlite3.Connection) -> None:
    """Create the tables of an empty file; call it within a transaction.

    Raises:
        NotAUsageFile: It is another kind of file.
    """
    if version_of(connection) == _SCHEMA_VERSION:
        return
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"pragma application_id = {_APPLICATION}")
    connection.execute(f"pragma user_version = {_SCHEMA_VERSION}")


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the file's schema, 0 for an empty file; call it within a transaction.

    Raises:
        NotAUsageFile: It is another kind of file.
    """
    (application,) = connection.execute("pragma application_id").fetchone()
    (version,) = connection.execute("pragma user_version").fetchone()
    (tables,) = connection.execute("select count(*) from sqlite_schema").fetchone()
    if application != _APPLICATION and (application or version or tables):
        raise NotAUsageFile("it is another program's database")
    if version > _SCHEMA_VERSION:
        raise NotAUsageFile("it was written by a later version of Choirbook")
    return int(version)


def require_place(path: Path | None) -> None:
    """Check that a file can be created at the configured path.

    Raises:
        InvalidSettings: It cannot.
    """
    if path is None:
        return
    if path.is_dir():
        raise InvalidSettings(f"The usage file {path} is a directory. Pass a file in it.")
    if not path.parent.is_dir():
        raise InvalidSettings(
            f"The directory of the usage file {path} does not exist. Create it, or pass another file with "
            "--usage."
        )
