"""Placeholders of a template, `{{name}}`: find them, and put values in their place.

Pure. XML is looked at as text, not parsed: a library is no place for entity expansion. A value goes in
once; what looks like a placeholder inside of it stays as it is.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Mapping

import msgspec

from choirbook.errors import InvalidParams

MAX_PLACEHOLDERS = 256
"""Of one template. Later ones stay in the text; nobody fills in a form that long."""

MAX_VALUE_CHARACTERS = 100_000
"""Of one value: a long section, not a book."""

MAX_FILLED_CHARACTERS = 4 * 1024 * 1024
"""Of all values together, as often as they are put in: bounds what a small request can make of a template."""

MAX_DESCRIPTION = 500

_PLACEHOLDER = re.compile(r"\{\{[ \t]*([^\W\d][\w.-]{0,63})[ \t]*\}\}")
_IN_MARKUP = re.compile(rf"<!\[CDATA\[.*?(?:\]\]>|\Z)|<[^<>]*>|{_PLACEHOLDER.pattern}", re.DOTALL)
_DECLARATION = re.compile(r"<variable\b([^<>]*)>([^<]*)</variable>")
# A name is looked for at its first character only, so that a long one is read once.
_ATTRIBUTE = re.compile(r"""(?<![\w-])([\w-]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')""")


class Placeholder(msgspec.Struct, frozen=True):
    """One name that is to be replaced, and what the template says of it."""

    name: str
    description: str = ""
    is_required: bool = False


def is_markup(media_type: str) -> bool:
    """Tell whether a template is XML."""
    return media_type == "application/xml" or media_type.endswith("+xml")


def find_placeholders(text: str, media_type: str) -> tuple[Placeholder, ...]:
    """Return the placeholders of a template, each once, in the order of the text.

    Args:
        text: Of the template.
        media_type: XML may say more of a placeholder: `<variable name="…" required="true">…</variable>`.
    """
    declared = _declared(text) if is_markup(media_type) else {}
    names: dict[str, None] = {}
    for match in _PLACEHOLDER.finditer(text):
        names[match[1]] = None
        if len(names) == MAX_PLACEHOLDERS:
            break
    return tuple(declared.get(name, Placeholder(name)) for name in names)


def fill(text: str, media_type: str, values: Mapping[str, str]) -> str:
    """Put values in the place of placeholders; those without a value stay.

    In XML a value is escaped, so that the template stays well-formed and whoever parses it gets the value
    back as it was given. In any other text it goes in as it is.

    Args:
        text: Of the template.
        media_type: Of the template.
        values: By the names of placeholders.

    Raises:
        InvalidParams: The values are too long.
    """
    _check_lengths(text, values)
    if not is_markup(media_type):
        return _replace(text, values, str)

    def put(match: re.Match[str]) -> str:
        token = match.group()
        if token.startswith("<![CDATA["):
            return _replace(token, values, _escape_in_cdata)
        return _replace(token, values, html.escape if token.startswith("<") else _escape_text)

    return _IN_MARKUP.sub(put, text)


def _replace(text: str, values: Mapping[str, str], spell: Callable[[str], str]) -> str:
    def put(match: re.Match[str]) -> str:
        value = values.get(match[1])
        return match.group() if value is None else spell(value)

    return _PLACEHOLDER.sub(put, text)


def _escape_text(value: str) -> str:
    return html.escape(value, quote=False)


def _escape_in_cdata(value: str) -> str:
    return value.replace("]]>", "]]]]><![CDATA[>")


def _check_lengths(text: str, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        if len(value) > MAX_VALUE_CHARACTERS:
            raise InvalidParams(
                f"The argument {name} has {len(value)} characters; at most {MAX_VALUE_CHARACTERS} are "
                "allowed."
            )
    times = Counter(match[1] for match in _PLACEHOLDER.finditer(text))
    if sum(len(value) * times[name] for name, value in values.items()) > MAX_FILLED_CHARACTERS:
        raise InvalidParams(
            f"The arguments would add more than {MAX_FILLED_CHARACTERS} characters to the text. Shorten them."
        )


def _declared(text: str) -> dict[str, Placeholder]:
    found: dict[str, Placeholder] = {}
    for match in _DECLARATION.finditer(text):
        attributes = {
            attribute[1]: html.unescape(attribute[2] or attribute[3] or "")
            for attribute in _ATTRIBUTE.finditer(match[1])
        }
        description = " ".join(html.unescape(match[2]).split())[:MAX_DESCRIPTION]
        name = attributes.get("name", "")
        found[name] = Placeholder(name, description, attributes.get("required") == "true")
    return found
