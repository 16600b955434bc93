"""Library as a tree: entries directly below a URI prefix. Pure.

A step costs one look-up in the ordered listing, however many documents are below a folder, so a library of a
hundred thousand documents is browsed as fast as one of ten.
"""

from __future__ import annotations

import re

import msgspec

from choirbook.catalog.catalog import Catalog
from choirbook.model import ResourceInfo

MAX_CHILDREN = 300
"""Maximum number of entries in one answer: as many as somebody reads. The rest is requested with `after`."""

_AFTER_ALL = "\U0010ffff"
"""Greater than any continuation of a URI: canonical URIs are ASCII."""

_ROOT = re.compile(r"[^/]+://[^/]+/")


class Folder(msgspec.Struct, frozen=True):
    """URIs with a common prefix."""

    name: str
    prefix: str
    documents: int


class Children(msgspec.Struct, frozen=True):
    """Part of the entries below a prefix, in the order of URIs."""

    entries: list[Folder | ResourceInfo]
    after: str | None
    """Start of the next part; None at the end."""


def children(catalog: Catalog, prefix: str, after: str | None = None, limit: int = MAX_CHILDREN) -> Children:
    """Return the entries directly below a prefix.

    Args:
        catalog: Catalog of the library.
        prefix: Empty for the roots, otherwise ends in `/`.
        after: End of the previous part; None for the first.
        limit: Maximum number of entries.
    """
    entries: list[Folder | ResourceInfo] = []
    while len(entries) < limit:
        page = catalog.page(after, 1, prefix=prefix)
        if not page.infos:
            return Children(entries, None)
        info = page.infos[0]
        folder = _folder_of(info.uri, prefix)
        if folder is None:
            entries.append(info)
            after = info.uri
        else:
            entries.append(Folder(folder[len(prefix) :].rstrip("/"), folder, catalog.count(prefix=folder)))
            after = folder + _AFTER_ALL
    return Children(entries, after)


def _folder_of(uri: str, prefix: str) -> str | None:
    """Return the folder directly below a prefix that contains a URI; None if the URI is not in one."""
    if not prefix:
        match = _ROOT.match(uri)
        return match[0] if match else None
    name, slash, _ = uri[len(prefix) :].partition("/")
    return f"{prefix}{name}/" if slash else None
