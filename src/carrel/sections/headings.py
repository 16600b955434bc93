"""The headings of a markdown document. Pure; the only place that names markdown-it.

Blocks are parsed as CommonMark has them, so a `#` in fenced code is no heading. Of inline markup only
that of the headings is looked at.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from carrel.sections.outline import MAX_SECTIONS, Mark, flat

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"---[ \t]*(?:\r\n?|\n).*?(?:\r\n?|\n)---[ \t]*(?:\r\n?|\n|\Z)", re.DOTALL)
_LINE_END = re.compile(r"\r\n?|\n")
_MARKUP = re.compile(r"[\\`*_\[\]<>&!\n]")
_MAX_INLINE = 1000
"""Characters of a heading whose markup is looked at; a title is shorter."""


class _Parsers(NamedTuple):
    blocks: MarkdownIt
    inline: MarkdownIt


def headings(data: bytes) -> list[Mark]:
    """Find the headings.

    Args:
        data: The document.

    Returns:
        A mark each, from its first line to the next heading of the same or a higher level.

    Raises:
        UnicodeDecodeError: The document is not UTF-8.
    """
    text = data.decode("utf-8")
    parsers = _parsers()
    env: dict[str, Any] = {}
    tokens = parsers.blocks.parse(_without_front_matter(text), env)
    starts = list(accumulate(map(len, data.splitlines(keepends=True)), initial=0))
    found = [
        (_title(tokens[index + 1], parsers.inline, env), int(token.tag[1:]), starts[token.map[0]])
        for index, token in enumerate(tokens)
        if token.type == "heading_open" and token.map is not None
    ]
    return _spanned(found[:MAX_SECTIONS], len(data))


def _spanned(found: list[tuple[str, int, int]], size: int) -> list[Mark]:
    """Have each heading reach to the next one that is not below it."""
    ends = [size] * len(found)
    open_: list[int] = []
    for index, (_, level, start) in enumerate(found):
        while open_ and found[open_[-1]][1] >= level:
            ends[open_.pop()] = start
        open_.append(index)
    return [Mark(title, level, start, end) for (title, level, start), end in zip(found, ends, strict=True)]


def _without_front_matter(text: str) -> str:
    """Put empty lines in the place of front matter, so that lines keep their numbers."""
    body = text.removeprefix("\ufeff")
    found = _FRONT_MATTER.match(body)
    if found is None:
        return body
    return "\n" * len(_LINE_END.findall(found[0])) + body[found.end() :]


def _title(inline: Token, parser: MarkdownIt, env: dict[str, Any]) -> str:
    content = inline.content[:_MAX_INLINE]
    if not _MARKUP.search(content):
        return flat(content)
    (parsed,) = parser.parseInline(content, env)
    return flat("".join(_text(token) for token in parsed.children or ()))


def _text(token: Token) -> str:
    if token.type in {"softbreak", "hardbreak"}:
        return " "
    # An image says what it shows; HTML in a title is markup.
    return "" if token.type == "html_inline" else token.content


@cache
def _parsers() -> _Parsers:
    # 50 ms to import, and a server whose sections nobody reads never needs it.
    from markdown_it import MarkdownIt

    blocks = MarkdownIt()
    blocks.core.ruler.enableOnly(["normalize", "block"])
    return _Parsers(blocks, MarkdownIt())
