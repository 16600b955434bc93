"""Division of a document into searchable parts: one for each section, and one for the rest. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from choirbook.documents.rendering import text_of
from choirbook.documents.sections.parser import outline_of
from choirbook.model import ResourceInfo

MAX_PIECE = 64 * 1024
"""Maximum characters of a part; a longer text becomes several parts of one section, so that each is quick to
quote from."""


class SearchPart(NamedTuple):
    """A piece of text that is one search result."""

    slug: str | None
    """Slug of its section; None for the document."""
    heading_path: tuple[str, ...]
    text: str
    size_bytes: int
    """Size of the complete section or document."""


def parts_of(info: ResourceInfo, data: bytes) -> list[SearchPart]:
    """Cut a document into parts, each byte of text in one: that of the innermost section around it.

    Args:
        info: Info of the document.
        data: Complete document; one that is not text has one part without text, found by its title.
    """
    text = text_of(info, data)
    if text is None:
        return [SearchPart(None, (), "", len(data))]
    sections = outline_of(info.media_type, data).sections
    if not sections:
        return [SearchPart(None, (), piece, len(data)) for piece in _pieces(text)]
    found: list[SearchPart] = []
    outside: list[bytes] = []
    cursor = 0
    for section, following in zip(sections, [*sections[1:], None], strict=True):
        outside.append(data[cursor : section.start])
        cursor = section.end if following is None else min(section.end, following.start)
        own = data[section.start : cursor].decode("utf-8", "ignore")
        found += [
            SearchPart(section.slug, section.heading_path, piece, section.size_bytes)
            for piece in _pieces(own)
        ]
    outside.append(data[cursor:])
    rest = b"\n".join(piece for piece in outside if piece.strip()).decode("utf-8", "ignore")
    return [*(SearchPart(None, (), piece, len(data)) for piece in _pieces(rest)), *found]


def _pieces(text: str) -> Iterator[str]:
    """Cut a text between words into pieces of bounded length; an empty text is one empty piece."""
    start = 0
    while len(text) - start > MAX_PIECE:
        end = max(text.rfind(blank, start, start + MAX_PIECE) for blank in " \n") + 1
        if end <= start:
            end = start + MAX_PIECE
        yield text[start:end]
        start = end
    yield text[start:]
