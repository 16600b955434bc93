"""Reader of usage files. Blocking; needs no server, and may read while one is writing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from choirbook.usage.records import ClientDocumentUsage, ClientUsage, EmptySearch, ResourceUsage
from choirbook.usage.schema import BUSY_S, NotAUsageFile, version_of


class UsageReader:
    """Reader of one file.

    Args:
        connection: Connection to the file; closed with this reader.

    Raises:
        sqlite3.Error: The file cannot be used; all methods may raise this.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def resources(self) -> list[ResourceUsage]:
        """Return every document that is served or was ever read, by URI."""
        rows = self._connection.execute(
            "select uri, reads, last_read_s, is_served from resource order by uri"
        )
        return [ResourceUsage(uri, reads, last_s, bool(served)) for uri, reads, last_s, served in rows]

    def clients(self) -> list[ClientUsage]:
        """Return every client, the most active first."""
        rows = self._connection.execute(
            "select name, version, reads, last_read_s from client order by reads desc, name, version"
        )
        return [ClientUsage(*row) for row in rows]

    def loaded(self) -> list[ClientDocumentUsage]:
        """Return the reads by client and document, in the order of client and URI."""
        rows = self._connection.execute(
            "select name, version, uri, loaded.reads, loaded.last_read_s "
            "from loaded join client on client.id = loaded.client order by name, version, uri"
        )
        return [ClientDocumentUsage(*row) for row in rows]

    def empty_searches(self) -> list[EmptySearch]:
        """Return the searches without results, the most frequent first."""
        rows = self._connection.execute(
            "select query, count, last_s from empty_search order by count desc, last_s desc, query"
        )
        return [EmptySearch(*row) for row in rows]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def open_to_read(path: Path) -> UsageReader:
    """Open an existing file read-only; a server may be writing to it.

    Raises:
        sqlite3.Error: It cannot be read, or is not a usage file.
    """
    address = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, BUSY_S, isolation_level=None, uri=True)
    try:
        connection.execute("begin")
        is_empty = version_of(connection) == 0
        connection.execute("commit")
    except BaseException:
        connection.close()
        raise
    if is_empty:
        connection.close()
        raise NotAUsageFile("it is empty")
    return UsageReader(connection)
