"""The headings of plain markdown documents, found without a parser. Pure.

Most documents of a library are paragraphs, lists and fenced code under `#` headings, from the first column.
CommonMark leaves no doubt about those, and a few regular expressions find them in a small part of the time.
Whatever could mean something else is left to the parser; tests hold the two against each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_OPENING = re.compile(rb"^```([^\n]*)$", re.MULTILINE)
_CLOSING = re.compile(rb"^ {0,3}```+[ \t]*$", re.MULTILINE)
_HEADING = re.compile(rb"^(#{1,6})(?![^ \t\n])([^\n]*)$", re.MULTILINE)
# What may stand before a block within a list or a quotation, and its indentation.
_BEFORE = rb"[ \t>*+\-0-9.)]"
_DOUBTFUL = re.compile(
    rb"^%b*(?:<|~~~)"  # HTML, another kind of fence
    rb"|^%b+(?:```|#{1,6}(?:[ \t]|$))"  # a fence or heading within something, or indented
    rb"|(?<=[^\n])\n%b*(?:=+|-+)[ \t]*$" % (_BEFORE, _BEFORE, _BEFORE),  # an underlined heading
    re.MULTILINE,
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
    for begin, end in _outside_fences(data, start):
        if end < 0 or _DOUBTFUL.search(data, begin, end):
            return None
        found += [
            Heading(_content(match[2]), len(match[1]), match.start())
            for match in _HEADING.finditer(data, begin, end)
        ]
    if b"]:" in data and any(b"[" in heading.content for heading in found):
        # It may refer to a link that is defined elsewhere.
        return None
    return found


def _outside_fences(data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches that are not fenced code; an end of -1 says that a fence is doubtful."""
    while (opening := _OPENING.search(data, start)) is not None:
        yield start, (-1 if b"`" in opening[1] else opening.start())
        closing = _CLOSING.search(data, opening.end())
        if closing is None:
            return
        start = closing.end()
    yield start, len(data)


def _content(line: bytes) -> bytes:
    """Strip a heading's closing `#`s (CommonMark, section 4.2)."""
    content = line.strip(b" \t")
    bare = content.rstrip(b"#")
    return bare.rstrip(b" \t") if not bare or bare[-1:] in b" \t" else content
