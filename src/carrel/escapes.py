"""Text of others, made fit for a terminal and a log. Pure."""

from __future__ import annotations


def escaped(text: str) -> str:
    """Spell what does not print as escapes: it would move a cursor, or turn the direction of writing."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
