"""Escaping of untrusted text for terminals and logs. Pure."""

from __future__ import annotations

import re

# Control characters, marks that change the direction of writing or end a line, invisible tags and
# annotations, and bytes of a file name that are not UTF-8. Joiners and special spaces stay: languages and
# emoji need them.
_UNFIT = r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2061-\u206f\ufeff\ufff9-\ufffb"
_UNFIT_ANYWHERE = re.compile(rf"[{_UNFIT}\ud800-\udfff\U000e0000-\U000e0fff]")
_UNFIT_IN_JSON = re.compile(rf"[{_UNFIT}\U000e0000-\U000e0fff]")
_UNFIT_IN_TEXT = re.compile(rf"(?![\t\n])[{_UNFIT}\ud800-\udfff\U000e0000-\U000e0fff]")


def escaped(text: str) -> str:
    """Escape characters that do not print: they could move a cursor, or change the direction of writing."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(text: str) -> str:
    """Escape characters that a terminal would act on, line ends included: the result is one line."""
    return _UNFIT_ANYWHERE.sub(_escape, text)


def shown_lines(text: str) -> str:
    """Escape characters that a terminal would act on, except line ends and tabs: for a document."""
    return _UNFIT_IN_TEXT.sub(_escape, text.replace("\r\n", "\n"))


def shown_json(line: str) -> str:
    """Escape characters that a terminal would act on, in one line of JSON, without changing its meaning."""
    return _UNFIT_IN_JSON.sub(_escape_in_json, line)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def _escape_in_json(match: re.Match[str]) -> str:
    # JSON escapes are in UTF-16 (RFC 8259, section 7).
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
