"""Listings of a server, page by page, whatever transport they come by. Pure but for asking for pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from choirbook_perf.errors import ServerUnreachable
from choirbook_perf.targets import UNKNOWN

_MAX_PAGES = 10_000
_MAX_SHOWN = 60


class Listed(NamedTuple):
    """One resource of a listing."""

    address: str
    name: str
    resource_type: str


class ListedRow(msgspec.Struct, frozen=True, rename="camel"):
    """One row of any listing, with the fields needed here."""

    uri: str = ""
    uri_template: str = ""
    name: str = ""
    type: str = UNKNOWN
    href: str = ""
    annotations: Annotations | None = None
    """Promises of a tool."""
    input_schema: Schema | None = None
    """Arguments of a tool."""
    arguments: list[Argument] = []
    """Arguments of a prompt."""


class Annotations(msgspec.Struct, frozen=True, rename="camel"):
    """A tool's promises."""

    read_only_hint: bool | None = None


class Schema(msgspec.Struct, frozen=True):
    """A JSON schema, of which only the names of required properties are needed."""

    required: list[str] | None = None


class Argument(msgspec.Struct, frozen=True):
    """An argument of a prompt."""

    name: str
    required: bool | None = None


class Page(NamedTuple):
    """One page of a listing."""

    rows: list[ListedRow]
    next_cursor: str | None


def all_rows(ask: Callable[[str | None], Page], where: str) -> list[ListedRow]:
    """Return the rows of all pages.

    Args:
        ask: Asks for the page at a cursor, None for the first.
        where: Listing and server, for messages.

    Raises:
        ServerUnreachable: A cursor does not advance.
    """
    found: list[ListedRow] = []
    for page in _pages(ask, where):
        found += page.rows
    return found


def _pages(ask: Callable[[str | None], Page], where: str) -> Iterator[Page]:
    cursor: str | None = None
    asked: set[str] = set()
    seen: set[str] = set()
    for _ in range(_MAX_PAGES):
        page = ask(cursor)
        known = len(seen)
        seen.update(_keys(page.rows))
        # An empty page may have a successor; one with nothing but known rows has gone nowhere.
        is_stuck = bool(page.rows) and cursor is not None and len(seen) == known
        yield page
        cursor = page.next_cursor
        if not cursor:
            return
        if cursor in asked or is_stuck:
            raise ServerUnreachable(
                f"{where} does not end: its cursor {_shown(cursor)} does not advance. Correct the server, or "
                "name what to read with --scenario."
            )
        asked.add(cursor)
    raise ServerUnreachable(
        f"{where} has more than {_MAX_PAGES} pages. Name what to read with --scenario, or let the server "
        "list larger pages."
    )


def _keys(rows: Iterable[ListedRow]) -> Iterator[str]:
    return (row.uri or row.uri_template or row.href or row.name for row in rows)


def _shown(cursor: str) -> str:
    return repr(cursor if len(cursor) <= _MAX_SHOWN else f"{cursor[:_MAX_SHOWN]}...")
