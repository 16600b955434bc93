"""HTML and SVG as values: text is escaped unless it was made here. Pure."""

from __future__ import annotations

from html import escape


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


VOID = frozenset({"meta", "br", "col"})


def tag(name: str, /, *children: str, **attributes: str | float | None) -> Markup:
    """Make an element.

    Args:
        name: The element's name.
        children: What it holds; a plain `str` is text and gets escaped.
        attributes: `class_` is `class`, other underscores become hyphens; None leaves the attribute out.
    """
    rendered = "".join(
        f' {_attribute_name(key)}="{escape(_attribute_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{rendered}>")
    return Markup(f"<{name}{rendered}>{join(*children)}</{name}>")


def join(*children: str) -> Markup:
    """Put pieces side by side; a plain `str` is text and gets escaped."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child) for child in children))


def _attribute_name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _attribute_value(value: str | float) -> str:
    # SVG coordinates: a tenth of a unit is finer than a pixel, and keeps files of many points small.
    return f"{value:.6g}" if isinstance(value, float) else str(value)
