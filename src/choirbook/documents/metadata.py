"""Extraction of a document's title and description from its first few kilobytes.

Pure. Runs when the catalog first sees a version, never on a read. Markdown has them in its front matter or as
its first heading and paragraph, XML in `title` and `description` near the top. XML is searched as text, not
parsed: entity expansion would be a risk in a library.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from choirbook.documents.media_types import is_xml

HEAD_BYTES = 4096
"""Enough for front matter, first heading and first paragraph of every document seen so far."""

MAX_TITLE = 200
MAX_DESCRIPTION = 500

_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
# A scalar that needs no YAML parser, which is the common case: no indicator first, no comment, no nested
# mapping.
_PLAIN_LINE = re.compile(r"([A-Za-z_][\w-]*):[ \t]+([A-Za-z0-9(][^\r\n]*)\Z")
# No two adjacent parts match the same text, so no pattern tries a line in more than one way. Closing `#`s are
# stripped afterwards: a pattern for them would try every place at which they could begin.
_ATX_HEADING = re.compile(r"^#{1,6}[ \t]+([^ \t\r\n][^\n]*)", re.MULTILINE)
_SETEXT_HEADING = re.compile(r"^(\S[^\n]*)\n(?:=+|-+)[ \t]*$", re.MULTILINE)
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
# A link or a picture; its text has no brackets, its target at most one level of parentheses.
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*(?:\([^()]*\)[^()]*)*\)")
_EMPHASIS = re.compile(r"[`*]{1,3}|(?<!\w)_{1,2}|_{1,2}(?!\w)")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_XML_TITLE = re.compile(r"<title>([^<]+)</title>")
_XML_DESCRIPTION = re.compile(r"<description>([^<]+)</description>")
_MAX_YAML_DEPTH = 32
"""Maximum nesting depth of front matter. Title and description are at the top level."""
_NOT_PROSE = ("#", "-", "*", ">", "|", "`", "~", "<", "!", "[", "+", "=", "1.")


class Headline(NamedTuple):
    """Title and description; empty if the document has none."""

    title: str
    description: str


def headline_of(media_type: str, head: bytes) -> Headline:
    """Find a document's title and description.

    Args:
        media_type: Without parameters.
        head: The first `HEAD_BYTES` of the document.
    """
    text = head.decode("utf-8", "ignore").removeprefix("\ufeff")
    if media_type == "text/markdown":
        return _of_markdown(text)
    if is_xml(media_type):
        return Headline(_first(_XML_TITLE, text, MAX_TITLE), _first(_XML_DESCRIPTION, text, MAX_DESCRIPTION))
    return Headline("", "")


def _of_markdown(text: str) -> Headline:
    title = description = ""
    front = _FRONT_MATTER.match(text)
    if front:
        title, description = _of_front_matter(front[1])
        text = text[front.end() :]
    body = _FENCE.sub("", text)
    heading = _ATX_HEADING.search(body) or _SETEXT_HEADING.search(body)
    if not title and heading:
        title = _strip_inline(_without_closing(heading[1]))
    if not description:
        description = _first_paragraph(body[heading.end() :] if heading else body)
    return Headline(_squeeze(title, MAX_TITLE), _squeeze(description, MAX_DESCRIPTION))


def _of_front_matter(block: str) -> tuple[str, str]:
    values: dict[str, str] = {}
    for line in block.splitlines():
        match = _PLAIN_LINE.match(line.rstrip())
        if not match or " #" in line or ": " in match[2] or match[2].endswith(":"):
            return _of_yaml(block)
        values[match[1].lower()] = match[2]
    return values.get("title", ""), values.get("description", "")


def _of_yaml(block: str) -> tuple[str, str]:
    import yaml

    try:
        # Events, not objects: nothing is built, so no nested or aliased value can grow, and no tag of a
        # document can create an object.
        events = yaml.parse(block, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
        values = _top_scalars(events)
    except (yaml.YAMLError, ValueError):
        # Invalid front matter is no reason to leave the document out.
        return "", ""
    return values.get("title", ""), values.get("description", "")


def _top_scalars(events: Iterable[Any]) -> dict[str, str]:
    """Return the scalars of a YAML document's top-level mapping, by key.

    Raises:
        ValueError: It is not a mapping, or nested too deeply.
    """
    items = _top_items(events)
    # The same iterator twice: keys and values alternate.
    return {key: value or "" for key, value in zip(items, items, strict=False) if key is not None}


def _top_items(events: Iterable[Any]) -> Iterator[str | None]:
    """Yield the keys and values of a top-level mapping in order; None for those that are not scalars."""
    import yaml

    anchors: dict[str | None, str] = {}
    depth = 0
    for event in events:
        text: str | None = None
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_YAML_DEPTH or (depth == 1 and not isinstance(event, yaml.MappingStartEvent)):
                raise ValueError("front matter must be a mapping, and not nested deeply")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent):
            text = anchors[event.anchor] = str(event.value)
        elif isinstance(event, yaml.AliasEvent):
            text = anchors.get(event.anchor)
        elif isinstance(event, yaml.DocumentEndEvent):
            return
        if depth == 1:
            yield text


def _first_paragraph(text: str) -> str:
    for block in _BLANK_LINE.split(text):
        stripped = block.strip()
        if stripped and not stripped.startswith(_NOT_PROSE):
            return _strip_inline(stripped)
    return ""


def _without_closing(heading: str) -> str:
    """Strip the `#`s that close a heading (CommonMark, section 4.2), but keep those of `C#`."""
    content = heading.rstrip()
    bare = content.rstrip("#")
    return bare if not bare or bare[-1] in " \t" else content


def _strip_inline(text: str) -> str:
    return _EMPHASIS.sub("", _LINK.sub(r"\1", text))


def _first(pattern: re.Pattern[str], text: str, limit: int) -> str:
    match = pattern.search(text)
    return _squeeze(html.unescape(match[1]), limit) if match else ""


def _squeeze(text: str, limit: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"
