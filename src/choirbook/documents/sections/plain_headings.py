"""The headings of plain markdown documents, found without a parser. Pure.

Most documents of a library are paragraphs, lists and fenced code under `#` headings, from the first column.
CommonMark leaves no doubt about those, and a few regular expressions find them in a small part of the time.
Whatever could mean something else is left to the parser; tests hold the two against each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# All patterns start with a line's end, which the engine looks for many times faster than for a line's start.
_OPENING = re.compile(rb"\n```([^\n]*)")
_CLOSING = re.compile(rb"\n {0,3}```+[ \t]*(?=\n|\Z)")
_HEADING = re.compile(rb"\n(#{1,6})(?![^ \t\n])([^\n]*)")
# What may stand before a block within a list or a quotation, and its indentation.
_BEFORE = rb"[ \t>*+\-0-9.)]"
_DOUBTFUL = re.compile(
    rb"\n(?:%b*(?:<|~~~)"  # HTML, another kind of fence
    rb"|%b+(?:```|#{1,6}(?:[ \t\n]|\Z))"  # a fence or heading within something, or indented
    # An underlined heading. One dash is looked for, not a run: others of the run are in what stands before.
    rb"|(?<=[^\n]\n)%b*(?:=+|-)[ \t]*(?=\n|\Z))" % (_BEFORE, _BEFORE, _BEFORE)
)
_NEVER_PLAIN = re.compile(rb"[\r\0]|\A\xef\xbb\xbf")
"""Other line ends, the character that is replaced, and a mark at the front."""


class Heading(NamedTuple):
    """A heading line."""

    content: bytes
    """With its inline markup."""
    level: int
    start: int


def plain_headings(data: bytes, start: int) -> list[Heading] | None:
    """Find the headings of a document.

    Args:
        data: The document, UTF-8.
        start: Where it starts, behind its front matter.

    Returns:
        Its headings in order, or None when it takes a parser to tell.
    """
    if _NEVER_PLAIN.search(data):
        return None
    found: list[Heading] = []
    # A line's end before the first line; where it is in `lines`, the line is in `data`.
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
    """Yield the stretches that are not fenced code; an end of -1 says that a fence is doubtful."""
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
