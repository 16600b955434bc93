"""Changesets of the catalog: which file owns which URI after some files have changed.

It reads the catalog's tables and writes none, so it may run on a worker thread while the event loop serves
from them; the caller ensures that nothing else changes them meanwhile.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import chain, islice
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import unquote

import msgspec

from choirbook.catalog.rules import RULES_FILE, Claim, Rules
from choirbook.errors import InvalidUri
from choirbook.model import ResourceInfo, SourceEntry

Item = TypeVar("Item")
Row = TypeVar("Row")

_SORTED_AT_ONCE = 2000
"""Number of URIs to sort at once. A sort blocks all other threads: one of a large library would stall the
event loop."""


class Document(msgspec.Struct, frozen=True, gc=False):
    """One file as of the last look."""

    entry: SourceEntry
    media_type: str
    title: str
    description: str


class Tables(msgspec.Struct):
    """Tables of the catalog. The dictionaries are never replaced: look-ups are bound to them."""

    documents: dict[str, Document]
    """Documents by path."""
    by_uri: dict[str, ResourceInfo]
    """Owner of each URI, alias or not."""
    rivals: dict[str, tuple[ResourceInfo, ...]]
    """Other claimants of a URI."""
    names: dict[str, str]
    """Reasons why a path cannot be part of a URI, by path."""
    ordered: dict[str | None, list[str]]
    """URIs to list, by type and for all types (None), in order. A list is replaced, never changed."""


class TableEdit(msgspec.Struct, Generic[Row]):
    """Change of one table."""

    written: dict[str, Row]
    gone: set[str]

    def carry_out(self, table: dict[str, Row]) -> None:
        """Apply the change to the table in one step."""
        for key in self.gone:
            table.pop(key, None)
        table.update(self.written)

    def write(self, table: dict[str, Row], at_once: int) -> Iterator[None]:
        """Write the new rows in steps of at most `at_once`."""
        for rows in _slices(self.written.items(), at_once):
            table.update(rows)
            yield

    def clear(self, table: dict[str, Row], at_once: int) -> Iterator[tuple[str, ...]]:
        """Remove the deleted rows in steps of at most `at_once`, and yield their keys."""
        for keys in _slices(self.gone, at_once):
            for key in keys:
                table.pop(key, None)
            yield keys


class ChangesetStep(NamedTuple):
    """Part of a changeset as readers see it, in URIs."""

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Changeset(msgspec.Struct, frozen=True):
    """Changes to the tables, and their effect for readers."""

    rules: Rules
    documents: TableEdit[Document]
    by_uri: TableEdit[ResourceInfo]
    rivals: TableEdit[tuple[ResourceInfo, ...]]
    names: TableEdit[str]
    ordered: dict[str | None, list[str]]
    """Lists that are replaced."""
    added: tuple[str, ...]
    updated: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Number of rows to change."""
        tables = (self.documents, self.by_uri, self.rivals, self.names)
        return sum(len(edit.written) + len(edit.gone) for edit in tables)

    def carry_out(self, tables: Tables, at_once: int) -> Iterator[ChangesetStep]:
        """Apply the changes in steps of at most `at_once` rows, and yield the effect of each for readers.

        New rows are written before old ones are removed, and lists change in between: every listed URI can be
        found at any time.
        """
        for _ in chain(
            self.documents.write(tables.documents, at_once),
            self.by_uri.write(tables.by_uri, at_once),
        ):
            yield ChangesetStep()
        self.rivals.carry_out(tables.rivals)
        self.names.carry_out(tables.names)
        tables.ordered.update(self.ordered)
        for added in _slices(self.added, at_once):
            yield ChangesetStep(added=added)
        for updated in _slices(self.updated, at_once):
            yield ChangesetStep(updated=updated)
        for _ in self.documents.clear(tables.documents, at_once):
            yield ChangesetStep()
        for removed in self.by_uri.clear(tables.by_uri, at_once):
            yield ChangesetStep(removed=removed)


def _slices(items: Iterable[Item], at_once: int) -> Iterator[tuple[Item, ...]]:
    rest = iter(items)
    while part := tuple(islice(rest, at_once)):
        yield part


def changeset_of(tables: Tables, rules: Rules, files: Mapping[str, Document | None]) -> Changeset:
    """Compute the changes to the tables when files change.

    Args:
        tables: Tables made by the rules.
        rules: Rules in force.
        files: Present state of each path, None if the file is gone.
    """
    documents = {path: document for path, document in files.items() if document is not None}
    edit = TableEdit(documents, files.keys() - documents.keys())
    unnamed = {path for path in files if path in tables.names}
    return _make_changeset(tables, rules, files, edit, {}, unnamed)


def changeset_of_all(tables: Tables, rules: Rules) -> Changeset:
    """Compute the changes to the tables when the rules change.

    Args:
        tables: Tables made by the previous rules.
        rules: New rules.
    """
    claims: _Claims = dict.fromkeys(tables.by_uri, ())
    return _make_changeset(tables, rules, tables.documents, TableEdit({}, set()), claims, set(tables.names))


_Claims = dict[str, tuple[ResourceInfo, ...]]
"""All infos that claim a URI, as tuples: the garbage collector soon stops examining tuples, but would spend
tens of milliseconds on one list per URI of a large library, while the event loop stands still."""


def _make_changeset(
    tables: Tables,
    rules: Rules,
    files: Mapping[str, Document | None],
    documents: TableEdit[Document],
    claims: _Claims,
    unnamed: set[str],
) -> Changeset:
    names: dict[str, str] = {}
    for path, document in files.items():
        try:
            claim = rules.claim(path) if path != RULES_FILE else None
        except InvalidUri as error:
            if document is not None:
                names[path] = error.message
            continue
        if claim is not None:
            _stake(claim, path, document, tables, claims)
    by_uri, rivals = _settle(tables, claims)
    new = [uri for uri in by_uri.written if uri not in tables.by_uri]
    return Changeset(
        rules,
        documents,
        by_uri,
        rivals,
        TableEdit(names, unnamed),
        _reorder(tables, by_uri),
        added=tuple(new),
        updated=tuple(uri for uri in by_uri.written if uri in tables.by_uri),
        removed=tuple(_in_order(by_uri.gone)),
    )


def _stake(claim: Claim, path: str, document: Document | None, tables: Tables, claims: _Claims) -> None:
    """Replace a file's previous claims by its present ones."""
    for uri in (claim.uri, *claim.aliases):
        on_uri = claims.get(uri)
        if on_uri is None:
            holder = tables.by_uri.get(uri)
            on_uri = () if holder is None else (holder, *tables.rivals.get(uri, ()))
        own = () if document is None else (_info(uri, claim, path, document),)
        claims[uri] = (*(info for info in on_uri if info.path != path), *own)


def _info(uri: str, claim: Claim, path: str, document: Document) -> ResourceInfo:
    entry = document.entry
    # A canonical URI has no encoded slash, so unquoting it whole is unquoting its segments.
    name = unquote(claim.uri.partition("://")[2].partition("/")[2]) or claim.uri
    return ResourceInfo(
        uri=uri,
        canonical_uri=claim.uri,
        path=path,
        name=name,
        title=document.title or name,
        description=document.description,
        type=claim.type,
        media_type=document.media_type,
        size=entry.size,
        modified_ns=entry.modified_ns,
        version=entry.version,
    )


def _settle(
    tables: Tables, claims: _Claims
) -> tuple[TableEdit[ResourceInfo], TableEdit[tuple[ResourceInfo, ...]]]:
    """Assign each claimed URI to the best claim."""
    by_uri: TableEdit[ResourceInfo] = TableEdit({}, set())
    rivals: TableEdit[tuple[ResourceInfo, ...]] = TableEdit({}, set())
    for uri, unsettled in claims.items():
        # Nearly all URIs are claimed once, so there is nothing to sort.
        on_uri = tuple(sorted(unsettled, key=_precedence)) if len(unsettled) > 1 else unsettled
        if len(on_uri) > 1:
            rivals.written[uri] = on_uri[1:]
        elif uri in tables.rivals:
            rivals.gone.add(uri)
        old = tables.by_uri.get(uri)
        if not on_uri:
            if old is not None:
                by_uri.gone.add(uri)
        elif old != on_uri[0]:
            by_uri.written[uri] = on_uri[0]
    return by_uri, rivals


def _precedence(info: ResourceInfo) -> tuple[bool, str]:
    """Return the sort key of a claim on a URI: a resource before an alias, then the first path."""
    return info.uri != info.canonical_uri, info.path


def _reorder(tables: Tables, by_uri: TableEdit[ResourceInfo]) -> dict[str | None, list[str]]:
    """Rebuild the lists that lose or gain URIs."""
    moves: defaultdict[str | None, dict[str, bool]] = defaultdict(dict)
    for uri in by_uri.gone:
        for key in _lists_of(tables.by_uri[uri]):
            moves[key][uri] = False
    for uri, info in by_uri.written.items():
        before, after = _lists_of(tables.by_uri.get(uri)), _lists_of(info)
        if before != after:
            for key in {*before, *after}:
                moves[key][uri] = key in after
    return {key: _merge(tables.ordered.get(key, []), of_key) for key, of_key in moves.items()}


def _lists_of(info: ResourceInfo | None) -> tuple[str | None, ...]:
    """Return the keys of the lists that contain an info; an alias is in none."""
    return () if info is None or info.uri != info.canonical_uri else (None, info.type)


def _in_order(uris: Iterable[str]) -> Iterator[str]:
    """Sort in parts, so that other threads can run in between."""
    return merge(*(sorted(part) for part in _slices(uris, _SORTED_AT_ONCE)))


def _merge(ordered: list[str], moves: dict[str, bool]) -> list[str]:
    """Return an ordered list with some URIs inserted (True) or removed (False)."""
    merged: list[str] = []
    start = 0
    # Whole runs are copied: the cost grows with the number of changed URIs, hardly with the length of the
    # list.
    for uri in _in_order(moves):
        end = bisect_left(ordered, uri, start)
        merged += ordered[start:end]
        start = end + (end < len(ordered) and ordered[end] == uri)
        if moves[uri]:
            merged.append(uri)
    merged += ordered[start:]
    return merged
