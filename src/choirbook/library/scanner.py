"""Blocking looks at a source: rules, listings, headlines. Runs on a worker thread.

Shared by the server, which scans periodically, and by the command line, which does so once.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from choirbook.catalog.catalog import Catalog
from choirbook.catalog.changeset import Document
from choirbook.catalog.rules import FORMER_RULES_FILE, RULES_FILE, Rules, default_rules, parse_rules
from choirbook.documents.media_types import media_type_of
from choirbook.documents.metadata import HEAD_BYTES, headline_of
from choirbook.errors import InvalidLibrary
from choirbook.library.debounce import QUIET_S
from choirbook.model import Source, SourceEntry, SourceError, SourceGone, SourceProblem
from choirbook.sources.beneath import Directory, is_regular
from choirbook.sources.filesystem import FilesystemSource
from choirbook.sources.mounts import is_on_local_disk

log = logging.getLogger("choirbook.scanner")

MAX_RULES_BYTES = 1024 * 1024


class Scan(NamedTuple):
    """A listing of the source."""

    entries: dict[str, SourceEntry]
    problems: tuple[SourceProblem, ...]
    cost_s: float
    unsettled: frozenset[str] = frozenset()
    """Files that exist and are being written."""


class ScanDifferences(NamedTuple):
    """Differences between a listing and the known state."""

    seen: dict[str, SourceEntry | None]
    """New and changed entries; None if the file is gone."""
    cost_s: float


def open_library(
    root: Path, max_document_bytes: int, *, is_near: bool | None = None
) -> tuple[FilesystemSource, Rules]:
    """Open a directory and read its rules.

    Args:
        root: Directory of the library.
        max_document_bytes: Maximum length; a longer document is not served.
        is_near: See `Source.is_near`; None decides by the file system of the root.

    Raises:
        InvalidLibrary: The directory or its `choirbook.toml` cannot be used; the message says why.
    """
    if not root.exists():
        raise InvalidLibrary(
            f"The directory {root} does not exist. Pass the directory that holds your documents."
        )
    if not root.is_dir():
        raise InvalidLibrary(f"{root} is not a directory. Pass the directory that holds your documents.")
    text = read_rules_text(root)
    rules = rules_from(text, root)
    try:
        source = FilesystemSource(
            root,
            max_document_bytes=max_document_bytes,
            follow_links=rules.follow_links,
            is_near=is_on_local_disk(root) if is_near is None else is_near,
        )
    except OSError as error:
        raise InvalidLibrary(f"The directory {root} cannot be opened: {error.strerror}.") from error
    return source, rules


def read_rules_text(root: Path) -> str | None:
    """Return the text of a library's `choirbook.toml`, or None when it has none.

    Raises:
        InvalidLibrary: The file is there but cannot be read, or it has the product's former name.
    """
    path = root / RULES_FILE
    try:
        directory = Directory(str(root), follow_links=True)
        try:
            # With or without the byte order mark that Windows editors insert.
            return _read_small(directory.open(RULES_FILE)).decode("utf-8-sig")
        finally:
            directory.close()
    except FileNotFoundError:
        if path.is_symlink():
            raise InvalidLibrary(f"{path} is a symbolic link that leads out of the library.") from None
        former = root / FORMER_RULES_FILE
        if former.is_file() or former.is_symlink():
            raise InvalidLibrary(
                f"{former} has the former name of this product, so it is not read. Rename it to {RULES_FILE}."
            ) from None
        return None
    except OSError as error:
        raise InvalidLibrary(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidLibrary(f"{path} is not UTF-8: {error.reason} at byte {error.start}.") from error


def _read_small(descriptor: int) -> bytes:
    """Read a file of at most `MAX_RULES_BYTES`, and close it."""
    with open(descriptor, "rb") as file:
        if not is_regular(os.fstat(descriptor)):
            raise OSError(errno.EINVAL, "not a regular file")
        data = file.read(MAX_RULES_BYTES + 1)
    if len(data) > MAX_RULES_BYTES:
        raise OSError(errno.EFBIG, f"it is longer than {MAX_RULES_BYTES} bytes")
    return data


def rules_from(text: str | None, root: Path) -> Rules:
    """Parse the rules of a text, or return the default ones for None.

    Raises:
        InvalidLibrary: See `parse_rules`; the message names the file.
    """
    name = root.resolve().name or "library"
    if text is None:
        return default_rules(name)
    try:
        return parse_rules(text, name)
    except InvalidLibrary as error:
        raise InvalidLibrary(f"{root}: {error.message}") from error


def without_root(message: str, root: Path) -> str:
    """Remove the library's directory from a message, to make it fit for a client."""
    return message.removeprefix(f"{root}: ").replace(f"{root}{os.sep}", "")


def scan(source: Source) -> Scan:
    """List the source.

    Raises:
        SourceError: The root cannot be listed.
    """
    start_s = time.monotonic()
    entries, problems = source.list()
    return Scan({entry.path: entry for entry in entries}, tuple(problems), time.monotonic() - start_s)


def first_scan(source: Source) -> Scan:
    """List the source for the first time; the files that are being written are `unsettled`.

    Nothing older can be served in their place, and a later scan picks them up.

    Raises:
        SourceError: The root cannot be listed.
    """
    first = scan(source)
    now_ns = time.time_ns()
    # A time in the future comes from a clock that was set, not from a writer.
    if not any(0 <= now_ns - entry.modified_ns < QUIET_S * 1e9 for entry in first.entries.values()):
        return first
    time.sleep(QUIET_S)
    second = scan(source)
    settled = {
        path: entry
        for path, entry in second.entries.items()
        if path in first.entries and first.entries[path].version == entry.version
    }
    return second._replace(entries=settled, unsettled=frozenset(second.entries.keys() - settled.keys()))


def differences(source: Source, known: Mapping[str, Document]) -> ScanDifferences:
    """List the source and compare it with the known state.

    Raises:
        SourceError: The root cannot be listed.
    """
    return _compare(scan(source), known)


def first_differences(source: Source, known: Mapping[str, Document]) -> ScanDifferences:
    """List the source for the first time, see `first_scan`, and compare it with the known state.

    Raises:
        SourceError: The root cannot be listed.
    """
    return _compare(first_scan(source), known)


def _compare(found: Scan, known: Mapping[str, Document]) -> ScanDifferences:
    """Compare a listing with the known state; consumes the listing."""
    start_s = time.monotonic()
    entries = found.entries
    gone = (path for path in known if path not in entries and path not in found.unsettled)
    seen: dict[str, SourceEntry | None] = dict.fromkeys(gone)
    # Single steps of the interpreter, between which other threads get their turn: an operator on all keys, or
    # freeing the whole listing at once, would hold up the event loop.
    while entries:
        path, entry = entries.popitem()
        document = known.get(path)
        if document is None or document.entry.version != entry.version:
            seen[path] = entry
    return ScanDifferences(seen, found.cost_s + time.monotonic() - start_s)


def describe(source: Source, entry: SourceEntry, known: Document | None = None) -> Document:
    """Make a document of an entry: its media type, title and description."""
    try:
        head = source.read_head(entry.path, HEAD_BYTES)
    except SourceError:
        # Listed all the same: reads report the error, and may work again before the next scan.
        return replace(known, entry=entry) if known else Document(entry, media_type_of(entry.path), "", "")
    return _described(entry, head)


def _described(entry: SourceEntry, head: bytes) -> Document:
    media_type = media_type_of(entry.path)
    try:
        media_type = media_type_of(entry.path, head)
        headline = headline_of(media_type, head)
    except Exception:
        # One document on which a parser fails must not prevent all others from being updated.
        log.exception("cannot determine the title of %r; it is listed without one", entry.path)
        return Document(entry, media_type, "", "")
    return Document(entry, media_type, headline.title, headline.description)


def capture(source: Source, paths: Iterable[str]) -> dict[str, Document]:
    """Capture documents that are replaced before they settle, and describe them."""
    contents = source.capture(paths, QUIET_S)
    return {each.entry.path: _described(each.entry, each.data[:HEAD_BYTES]) for each in contents}


def describe_all(
    source: Source, seen: Mapping[str, SourceEntry | None], known: Mapping[str, Document]
) -> dict[str, Document | None]:
    """Describe existing files, in the order of paths, which is nearly that of URIs; None means gone."""
    return {
        path: None if entry is None else describe(source, entry, known.get(path))
        for path, entry in sorted(seen.items())
    }


def look(source: Source, paths: Iterable[str]) -> dict[str, SourceEntry | None]:
    """Look at single files: their entry, or None if they are gone. Those that fail are left out."""
    seen: dict[str, SourceEntry | None] = {}
    for path in paths:
        try:
            seen[path] = source.stat(path)
        except SourceGone:
            seen[path] = None
        except SourceError:
            continue
    return seen


def load_catalog(source: Source, rules: Rules) -> tuple[Catalog, tuple[SourceProblem, ...]]:
    """Scan once and return the catalog, for one-shot commands and stdio's first answer.

    Raises:
        InvalidLibrary: The root cannot be listed.
    """
    catalog = Catalog(rules)
    try:
        found = first_scan(source)
    except SourceError as error:
        raise InvalidLibrary(str(error)) from error
    catalog.apply(describe_all(source, found.entries, {}).items())
    return catalog, found.problems
