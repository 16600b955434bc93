"""HTML preview of any document, safe whatever its content. Pure.

Markdown is shown with its structure; everything else as plain text. No byte of a document becomes markup:
HTML in markdown is shown as text, images as their descriptions, and only links to the web and to mail
addresses can be followed. The page is sent with a policy under which no script runs and nothing is fetched,
so that a mistake here would still be harmless.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, MutableMapping, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from choirbook.documents.media_types import is_textual

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererProtocol
    from markdown_it.token import Token
    from markdown_it.utils import OptionsDict

POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
)
"""Policy of a preview page (https://www.w3.org/TR/CSP3/): one style sheet, and nothing else."""

MAX_BYTES = 200_000
"""Maximum bytes of a document to show: some hundred screens."""

MAX_MARKDOWN = 64_000
"""Maximum characters of a document shown with its structure: limits the cost of parsing hostile markup."""

MAX_LINE = 4_000
"""Maximum characters of a line to show."""

_BLOCKS = frozenset(
    {"heading_open", "paragraph_open", "list_item_open", "blockquote_open", "th_open", "td_open"}
)
_SAFE_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)


def preview(title: str, media_type: str, data: bytes, style: str) -> bytes:
    """Return a page that shows a document.

    Args:
        title: Title of the document.
        media_type: Decides how it is shown.
        data: Content of the document.
        style: URL of the page's style sheet.
    """
    notes: list[str] = []
    if is_textual(media_type):
        body = _body(media_type, _text(data, notes), notes)
    else:
        body = ""
        notes.append(f"This document is {media_type}, not text: there is no preview.")
    notes_html = "".join(f'<p class="note">{escape(note)}</p>' for note in notes)
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="{escape(style)}"></head>'
        f"<body><main>{notes_html}{body}</main></body></html>"
    )
    return page.encode("utf-8", "replace")


def _text(data: bytes, notes: list[str]) -> str:
    """Return the part of a document's text to show, and note what is omitted."""
    shown = data[:MAX_BYTES]
    try:
        # A character may be cut at the end, which is no fault of the document.
        shown.decode("utf-8") if len(shown) == len(data) else shown[: _last_start(shown)].decode("utf-8")
    except UnicodeDecodeError:
        notes.append("This document is not valid UTF-8: invalid bytes are shown as \ufffd.")
    if len(data) > MAX_BYTES:
        notes.append(f"The first {MAX_BYTES:,} of {len(data):,} bytes are shown.")
        shown = shown[: _last_start(shown)]
    text = shown.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    longest = max(map(len, lines))
    if longest > MAX_LINE:
        notes.append(f"Lines are cut off after {MAX_LINE:,} characters.")
        lines = [line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]} \u2026" for line in lines]
    return "\n".join(lines)


def _last_start(data: bytes) -> int:
    """Return the position of the last character."""
    at = len(data) - 1
    while at > 0 and data[at] & 0xC0 == 0x80:  # noqa: PLR2004 - how UTF-8 marks what continues a character
        at -= 1
    return max(at, 0)


def _body(media_type: str, text: str, notes: list[str]) -> str:
    if media_type != "text/markdown":
        return _verbatim(text)
    if len(text) > MAX_MARKDOWN:
        notes.append("Documents of this length are shown as source.")
        return _verbatim(text)
    front = _FRONT_MATTER.match(text)
    matter = _verbatim(front[1], "front-matter") if front else ""
    return matter + _markdown(text[front.end() :] if front else text)


def _verbatim(text: str, kind: str = "source") -> str:
    return f'<pre class="{kind}" dir="auto"><code>{escape(text)}</code></pre>' if text else ""


def _markdown(text: str) -> str:
    parser = _parser()
    env: dict[str, Any] = {}
    tokens = parser.parse(text, env)
    for token in tokens:
        if token.children:
            _disarm(token.children)
        if token.type in _BLOCKS:
            # Each separately: parts of a document may be in scripts of both directions.
            token.attrSet("dir", "auto")
        if token.type in {"th_open", "td_open"} and "style" in token.attrs:
            # The policy does not allow inline styles.
            token.attrs = {"class": str(token.attrs["style"]).rpartition(":")[2], "dir": "auto"}
    return str(parser.renderer.render(tokens, parser.options, env))


def _disarm(tokens: Iterable[Token]) -> None:
    """Restrict links to the web, without a referrer; links do not nest."""
    is_followed = False
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrGet("href") or "")
            is_followed = _SAFE_LINK.match(target) is not None
            if is_followed:
                token.attrs = {"href": target, "target": "_blank", "rel": "noopener noreferrer nofollow"}
            else:
                token.attrs = {"class": "unlinked", "title": target}
        if token.type in {"link_open", "link_close"} and not is_followed:
            token.tag = "span"


@cache
def _parser() -> MarkdownIt:
    # Slow to import, and not needed unless somebody opens the dashboard.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.add_render_rule("image", _render_image)
    return parser


def _render_image(
    _: RendererProtocol,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,  # noqa: ARG001 - the parser's signature
    env: MutableMapping[str, Any],  # noqa: ARG001 - as above
) -> str:
    described = tokens[index].content or "no description"
    return f'<span class="image">Picture: {escape(described)}</span>'
