"""`choirbook usage`: which resources were read, which never were, and by whom, from a server's file."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from choirbook.cli.output import console, say_csv, say_json
from choirbook.errors import InvalidSettings
from choirbook.usage.records import ClientDocumentUsage, ClientUsage, EmptySearch, ResourceUsage
from choirbook.usage.reports import UsageReader, open_to_read
from choirbook.usage.schema import FILE_NAME

_COLUMNS = ("kind", "uri", "client", "version", "query", "reads", "last")

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters that a spreadsheet would treat as a formula; clients choose their names."""


class Usage(msgspec.Struct, frozen=True, rename="camel"):
    """All records of a file. Resources no longer served are included if they were ever read."""

    resources: list[ResourceUsage]
    clients: list[ClientUsage]
    loaded: list[ClientDocumentUsage]
    empty_searches: list[EmptySearch]


def print_usage(path: Path | None, form: str) -> None:
    """Print the records of a file.

    Args:
        path: The file; the one of the server that runs here if None.
        form: `table`, `csv` or `json`.

    Raises:
        InvalidSettings: There is no such file.
    """
    usage = _load(path or _of_running_server())
    if form == "json":
        say_json(usage)
    elif form == "csv":
        say_csv(_rows(usage))
    else:
        _print_tables(usage)


def _load(path: Path) -> Usage:
    path = path / FILE_NAME if path.is_dir() else path
    if not path.is_file():
        raise InvalidSettings(
            f"There is no usage file {path}. Pass the one that the server was started with (--usage)."
        )
    try:
        with closing(open_to_read(path)) as store:
            return _read(store)
    except sqlite3.Error as error:
        raise InvalidSettings(
            f"Cannot read {path} as a usage file: {error}. Pass a file that a server writes with --usage."
        ) from error


def _read(store: UsageReader) -> Usage:
    return Usage(store.resources(), store.clients(), store.loaded(), store.empty_searches())


def _of_running_server() -> Path:
    """Return the file of this user's only server that uses no other path.

    Raises:
        InvalidSettings: There is none, or more than one.
    """
    found = sorted(
        path
        for path in Path(tempfile.gettempdir()).glob(f"choirbook-*/{FILE_NAME}")
        if path.stat().st_uid == os.getuid()
    )
    if len(found) == 1:
        return found[0]
    if not found:
        raise InvalidSettings(
            "No server of this user is running here. Pass the file that a server was started with "
            "(--usage), or set CHOIRBOOK_USAGE."
        )
    raise InvalidSettings(f"Several servers are running here. Pass one of: {', '.join(map(str, found))}.")


def _rows(usage: Usage) -> Iterator[tuple[object, ...]]:
    yield _COLUMNS
    for each in usage.resources:
        yield ("resource", each.uri, "", "", "", each.reads, _time(each.last_read_s))
    for of in usage.clients:
        yield ("client", "", _cell(of.name), _cell(of.version), "", of.reads, _time(of.last_read_s))
    for pair in usage.loaded:
        names = _cell(pair.name), _cell(pair.version)
        yield ("loaded", pair.uri, *names, "", pair.reads, _time(pair.last_read_s))
    for search in usage.empty_searches:
        yield ("search", "", "", "", _cell(search.query), search.count, _time(search.last_s))


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _print_tables(usage: Usage) -> None:
    read = sorted((each for each in usage.resources if each.reads), key=lambda each: (-each.reads, each.uri))
    never = [each for each in usage.resources if not each.reads]
    reads = [
        (each.uri if each.is_served else f"{each.uri} (gone)", f"{each.reads:,}", _time(each.last_read_s))
        for each in read
    ]
    _print_table(f"Read: {len(read)} documents", ("URI", "Reads", "Last"), reads)
    _print_table(f"Never read: {len(never)} documents", ("URI",), [(each.uri,) for each in never])
    clients = [
        (each.name, each.version, f"{each.reads:,}", _time(each.last_read_s)) for each in usage.clients
    ]
    _print_table(f"Clients: {len(clients)}", ("Client", "Version", "Reads", "Last"), clients)
    searches = [(each.query, f"{each.count:,}", _time(each.last_s)) for each in usage.empty_searches]
    _print_table(f"Searches with no results: {len(searches)}", ("Query", "Times", "Last"), searches)


def _print_table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    from rich.table import Table

    printer = console()
    printer.print(title, style="bold")
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in {"Reads", "Times"} else "left")
    for row in rows:
        table.add_row(*row)
    if table.row_count:
        printer.print(table)
    printer.print()


def _time(unix_s: float | None) -> str:
    return "" if unix_s is None else datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds")
