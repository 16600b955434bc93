"""Named elements near the top of an XML document. Pure.

Parsed by expat, which neither loads external entities nor recurses. A document with a DOCTYPE has no
sections: it could declare entities to be expanded, or default attributes, which expat adds to each element.
"""

from __future__ import annotations

from typing import NoReturn
from xml.parsers import expat

from choirbook.documents.sections.outline import MAX_SECTIONS, SectionMark, flat

MAX_DEPTH = 4
"""Maximum depth: a template's sections are children of children of its root; one level more is still near the
top."""

_PIECE_BYTES = 64 * 1024


class _Unusable(Exception):
    """The document has a DOCTYPE."""


class _Open:
    """An open element, whose end has not been seen."""

    __slots__ = ("has_elements", "mark")

    def __init__(self, mark: int | None) -> None:
        self.mark = mark
        self.has_elements = False


def named_elements(data: bytes) -> list[SectionMark]:
    """Find the elements with a `name` or an `id`.

    Args:
        data: The document.

    Returns:
        A mark for each, with its `title` if it has one; none if the document is not well-formed.
    """
    finder = _Finder(data)
    try:
        finder.run()
    except (expat.ExpatError, _Unusable, ValueError):
        return []
    return finder.marks()


class _Finder:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._found: list[SectionMark] = []
        self._open: list[_Open] = []
        self._depth = 0
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = _refuse

    def run(self) -> None:
        for start in range(0, len(self._data), _PIECE_BYTES):
            self._parser.Parse(self._data[start : start + _PIECE_BYTES])
        self._parser.Parse(b"", True)  # noqa: FBT003 - the parser takes no keyword

    def marks(self) -> list[SectionMark]:
        return self._found

    def _start(self, _: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._open:
            self._open[-1].has_elements = True
        if self._depth > MAX_DEPTH:
            return
        start = self._parser.CurrentByteIndex
        name = attributes.get("name") or attributes.get("id")
        place = None
        if name and len(self._found) < MAX_SECTIONS:
            place = len(self._found)
            title = flat(attributes.get("title") or name)
            self._found.append(SectionMark(title, self._depth, start, start, name))
        self._open.append(_Open(place))

    def _end(self, _: str) -> None:
        depth, self._depth = self._depth, self._depth - 1
        if depth > MAX_DEPTH:
            return
        element = self._open.pop()
        if element.mark is None:
            return
        end = self._parser.CurrentByteIndex
        if self._data.startswith(b"</", end):
            # The parser is before an end tag, but after the tag of an empty element.
            end = self._data.index(b">", end) + 1
        mark = self._found[element.mark]
        self._found[element.mark] = mark._replace(end=end, is_leaf=not element.has_elements)


def _refuse(*_: object) -> NoReturn:
    raise _Unusable
