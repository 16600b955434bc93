"""The library as a tree: what lies directly below a beginning of URIs. Pure.

A step costs one look-up in the ordered listing, however many documents lie below a folder, so that a library
of a hundred thousand is browsed as fast as one of ten.
"""

from __future__ import annotations

import re

import msgspec

from choirbook.catalog.catalog import Catalog
from choirbook.model import ResourceInfo

MAX_CHILDREN = 300
"""Of one answer: as many as somebody reads through. The rest is asked for with `after`."""

_AFTER_ALL = "\U0010ffff"
"""Greater than what any URI goes on with: canonical ones are ASCII."""

_ROOT = re.compile(r"[^/]+://[^/]+/")


class Folder(msgspec.Struct, frozen=True):
    """URIs with a beginning in common."""

    name: str
    prefix: str
    documents: int


class Children(msgspec.Struct, frozen=True):
    """A part of what lies below a beginning, in the order of URIs."""

    entries: list[Folder | ResourceInfo]
    after: str | None
    """Where the next part begins; None at the end."""


def children(catalog: Catalog, prefix: str, after: str | None = None, limit: int = MAX_CHILDREN) -> Children:
    """Return what lies directly below a beginning.

    Args:
        catalog: Of the library.
        prefix: Empty for the roots, else ends in `/`.
        after: What the part before ended with; None for the first.
        limit: Entries at most.
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
    """Return the folder below a beginning that a URI is in; None where it is not in a further one."""
    if not prefix:
        match = _ROOT.match(uri)
        return match[0] if match else None
    name, slash, _ = uri[len(prefix) :].partition("/")
    return f"{prefix}{name}/" if slash else None
