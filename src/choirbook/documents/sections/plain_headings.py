"""Headings of plain markdown documents, found without a parser. Pure.

Most documents of a library are paragraphs, lists and fenced code under `#` headings, from the first column.
CommonMark is unambiguous about those, and a few regular expressions find them in a fraction of the time.
Anything that could mean something else is left to the parser; tests compare the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# All patterns start with a line end, which the engine finds many times faster than a line start.
_OPENING = re.compile(rb"\n```([^\n]*)")
_CLOSING = re.compile(rb"\n {0,3}```+[ \t]*(?=\n|\Z)")
_HEADING = re.compile(rb"\n(#{1,6})(?![^ \t\n])([^\n]*)")
# Characters that may precede a block within a list or a quotation, and its indentation.
_BEFORE = rb"[ \t>*+\-0-9.)]"
_DOUBTFUL = re.compile(
    rb"\n(?:%b*(?:<|~~~)"  # HTML, other kinds of fence
    rb"|%b+(?:```|#{1,6}(?:[ \t\n]|\Z))"  # a fence or heading within something, or indented
    # An underlined heading. One dash is searched, not a run: the others of the run match the characters
    # before.
    rb"|(?<=[^\n]\n)%b*(?:=+|-)[ \t]*(?=\n|\Z))" % (_BEFORE, _BEFORE, _BEFORE)
)
_NEVER_PLAIN = re.compile(rb"[\r\0]|\A\xef\xbb\xbf")
"""Other line ends, the character that is replaced, and a byte order mark."""


class Heading(NamedTuple):
    """A heading line."""

    content: bytes
    """Text with its inline markup."""
    level: int
    start: int


def plain_headings(data: bytes, start: int) -> list[Heading] | None:
    """Find the headings of a document.

    Args:
        data: The document, UTF-8.
        start: Its start, after its front matter.

    Returns:
        Its headings in order, or None if a parser is needed.
    """
    if _NEVER_PLAIN.search(data):
        return None
    found: list[Heading] = []
    # A line end before the first line; a line's index in `lines` equals its index in `data`.
    lines = b"\n" + data
    for begin, end in _outside_fences(lines, start):
        if end < 0 or _DOUBTFUL.search(lines, begin, end):
            return None
        found += [
            Heading(_content(match[2]), len(match[1]), match.start())
            for match in _HEADING.finditer(lines, begin, end)
        ]
    if b"]:" in data and any(b"[" in heading.content for heading in found):
        # It may refer to a link that is defined elsewhere.
        return None
    return found


def _outside_fences(lines: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges that are not fenced code; an end of -1 means that a fence is ambiguous."""
    while (opening := _OPENING.search(lines, start)) is not None:
        yield start, (-1 if b"`" in opening[1] else opening.start())
        closing = _CLOSING.search(lines, opening.end())
        if closing is None:
            return
        start = closing.end()
    yield start, len(lines)


def _content(line: bytes) -> bytes:
    """Strip a heading's closing `#`s (CommonMark, section 4.2)."""
    content = line.strip(b" \t")
    bare = content.rstrip(b"#")
    return bare.rstrip(b" \t") if not bare or bare[-1:] in b" \t" else content
