"""Conditional and range requests (RFC 9110, sections 13 and 14). Pure."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from choirbook.errors import RangeNotSatisfiable

_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')
# Spaces after a number belong to it: two adjacent runs of spaces could be divided in many ways.
_RANGE = re.compile(r"bytes\s*=\s*(?:(\d+)\s*)?-\s*(?:(\d+)\s*)?\Z", re.IGNORECASE)
MAX_DIGITS = 18
"""Maximum digits of a number: no document has that many bytes; a longer number is not parsed."""


class Conditions(NamedTuple):
    """Request headers that make a read conditional, or a partial one."""

    known_tag: str | None
    """If-None-Match."""
    known_date: str | None
    """If-Modified-Since."""
    wanted_range: str | None
    """Range."""


NO_CONDITIONS = Conditions(None, None, None)


def is_not_modified(conditions: Conditions, etag: str, modified_ns: int) -> bool:
    """Return whether the client's copy is current; a tag overrules a date (section 13.2.2)."""
    if conditions.known_tag is not None:
        return matches(conditions.known_tag, etag)
    return conditions.known_date is not None and unmodified_since(conditions.known_date, modified_ns)


def matches(if_none_match: str, etag: str) -> bool:
    """Return whether an If-None-Match names the current representation.

    The comparison is the weak one (section 13.1.2), so a tag of another content coding of the same form
    counts as well: a client that holds gzip may ask again without it.
    """
    if if_none_match.strip() == "*":
        return True
    present = _stem(etag)
    return any(_stem(tag) == present for tag in _ENTITY_TAG.findall(if_none_match))


def unmodified_since(if_modified_since: str, modified_ns: int) -> bool:
    """Return whether a document is no newer than an If-Modified-Since; an invalid date is ignored."""
    try:
        moment = parsedate_to_datetime(if_modified_since)
        return modified_ns // 1_000_000_000 <= moment.timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return False


def requested_range(header: str, size: int) -> tuple[int, int] | None:
    """Return the requested bytes as (first, past the last), or None to send all of them.

    Several ranges, other units and malformed headers are ignored, as section 14.2 allows.

    Args:
        header: The Range header.
        size: Size of the representation, in bytes.

    Raises:
        RangeNotSatisfiable: The range begins beyond the end.
    """
    match = _RANGE.match(header.strip())
    first, last = match.groups("") if match else ("", "")
    if max(len(first), len(last)) > MAX_DIGITS:
        return None
    if not first:
        if not last:
            return None
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise RangeNotSatisfiable(
            f"The document has {size} bytes; the range lies beyond them.", {"size": size}
        )
    return start, end


def range_applies(if_range: str | None, etag: str, last_modified: str) -> bool:
    """Return whether the client's partial copy is of the current representation (section 13.1.5)."""
    return if_range is None or if_range.strip() in {etag, last_modified}


def _stem(tag: str) -> str:
    return tag.strip('"').partition("+")[0]
