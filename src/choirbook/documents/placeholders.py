"""Placeholders of a template, `{{name}}`: find them, and fill in values.

Pure. XML is searched as text, not parsed: entity expansion would be a risk in a library. A value is inserted
once; text in it that looks like a placeholder stays as it is.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Mapping

import msgspec

from choirbook.errors import InvalidParams

MAX_PLACEHOLDERS = 256
"""Maximum number of placeholders in one template. Later ones stay in the text; forms are never that long."""

MAX_VALUE_CHARACTERS = 100_000
"""Maximum length of one value, in characters: a long section, not a book."""

MAX_FILLED_CHARACTERS = 4 * 1024 * 1024
"""Maximum length of all inserted values, counted each time they are inserted: limits how far a small request
can expand a template."""

MAX_DESCRIPTION = 500

_PLACEHOLDER = re.compile(r"\{\{[ \t]*([^\W\d][\w.-]{0,63})[ \t]*\}\}")
_IN_MARKUP = re.compile(rf"<!\[CDATA\[.*?(?:\]\]>|\Z)|<[^<>]*>|{_PLACEHOLDER.pattern}", re.DOTALL)
_DECLARATION = re.compile(r"<variable\b([^<>]*)>([^<]*)</variable>")
# A name is searched at its first character only, so that a long one is read once.
_ATTRIBUTE = re.compile(r"""(?<![\w-])([\w-]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')""")


class Placeholder(msgspec.Struct, frozen=True):
    """One name to replace, with its description from the template."""

    name: str
    description: str = ""
    is_required: bool = False


def is_markup(media_type: str) -> bool:
    """Return whether a template is XML."""
    return media_type == "application/xml" or media_type.endswith("+xml")


def find_placeholders(text: str, media_type: str) -> tuple[Placeholder, ...]:
    """Return the placeholders of a template, each once, in the order of the text.

    Args:
        text: Text of the template.
        media_type: Media type; XML may describe a placeholder: `<variable name="…"
            required="true">…</variable>`.
    """
    declared = _declared(text) if is_markup(media_type) else {}
    names: dict[str, None] = {}
    for match in _PLACEHOLDER.finditer(text):
        names[match[1]] = None
        if len(names) == MAX_PLACEHOLDERS:
            break
    return tuple(declared.get(name, Placeholder(name)) for name in names)


def fill(text: str, media_type: str, values: Mapping[str, str]) -> str:
    """Replace placeholders by values; those without a value stay.

    In XML a value is escaped, so that the template stays well-formed and a parser returns the value
    unchanged. In any other text it is inserted as it is.

    Args:
        text: Text of the template.
        media_type: Media type of the template.
        values: Values by the names of placeholders.

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
