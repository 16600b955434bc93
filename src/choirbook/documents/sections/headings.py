"""Headings of a markdown document. Pure; with the dashboard's preview, the only user of markdown-it.

Blocks are parsed as in CommonMark, so a `#` in fenced code is not a heading. Inline markup is parsed only in
headings.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from choirbook.documents.sections.outline import MAX_SECTIONS, SectionMark, flat
from choirbook.documents.sections.plain_headings import plain_headings

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(
    rb"(?:\xef\xbb\xbf)?(---[ \t]*(?:\r\n?|\n).*?(?:\r\n?|\n)---[ \t]*(?:\r\n?|\n|\Z))", re.DOTALL
)
_LINE_END = re.compile(rb"\r\n?|\n")
_MARKUP = re.compile(r"[\\`*_\[\]<>&!\n]")
_MAX_INLINE = 1000
"""Maximum characters of a heading whose markup is parsed; titles are shorter."""


class _Found(NamedTuple):
    title: str
    level: int
    start: int


class _Parsers(NamedTuple):
    blocks: MarkdownIt
    inline: MarkdownIt


def headings(data: bytes) -> list[SectionMark]:
    """Find the headings.

    Args:
        data: The document.

    Returns:
        A mark for each, from its first line to the next heading of the same or a higher level.

    Raises:
        UnicodeDecodeError: The document is not UTF-8.
    """
    front = _FRONT_MATTER.match(data)
    body_start = front.end() if front else 0
    plain = plain_headings(data, body_start)
    if plain is None:
        found = _parsed(data, body_start)
    else:
        found = [
            _Found(_title(heading.content.decode("utf-8"), {}), heading.level, heading.start)
            for heading in plain[:MAX_SECTIONS]
        ]
    return _spanned(found, len(data))


def _parsed(data: bytes, body_start: int) -> list[_Found]:
    """Find the headings with the parser."""
    # Empty lines replace front matter, so that line numbers stay correct.
    blank = "\n" * len(_LINE_END.findall(data, 0, body_start))
    text = blank + data[body_start:].decode("utf-8").removeprefix("\ufeff")
    env: dict[str, Any] = {}
    tokens = _parsers().blocks.parse(text, env)
    starts = list(accumulate(map(len, data.splitlines(keepends=True)), initial=0))
    opened = [
        (token, tokens[index + 1]) for index, token in enumerate(tokens) if token.type == "heading_open"
    ]
    return [
        _Found(_title(inline.content, env), int(token.tag[1:]), starts[token.map[0] if token.map else 0])
        for token, inline in opened[:MAX_SECTIONS]
    ]


def _spanned(found: list[_Found], size: int) -> list[SectionMark]:
    """Extend each heading to the next one that is not below it."""
    ends = [size] * len(found)
    open_: list[int] = []
    for index, heading in enumerate(found):
        while open_ and found[open_[-1]].level >= heading.level:
            ends[open_.pop()] = heading.start
        open_.append(index)
    return [SectionMark(*heading, end) for heading, end in zip(found, ends, strict=True)]


def _title(content: str, env: dict[str, Any]) -> str:
    content = content[:_MAX_INLINE]
    if not _MARKUP.search(content):
        return flat(content)
    (parsed,) = _parsers().inline.parseInline(content, env)
    return flat("".join(_text(token) for token in parsed.children or ()))


def _text(token: Token) -> str:
    if token.type in {"softbreak", "hardbreak"}:
        return " "
    # An image contributes its alternative text; HTML in a title is markup.
    return "" if token.type == "html_inline" else token.content


@cache
def _parsers() -> _Parsers:
    # Slow to import, and not needed unless somebody reads a section.
    from markdown_it import MarkdownIt

    blocks = MarkdownIt()
    blocks.core.ruler.enableOnly(["normalize", "block"])
    return _Parsers(blocks, MarkdownIt())
