"""HTML and SVG as values: text is escaped unless it was created here. Pure."""

from __future__ import annotations

from html import escape


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


VOID = frozenset({"meta", "br", "col"})


def tag(name: str, /, *children: str, **attributes: str | float | None) -> Markup:
    """Create an element.

    Args:
        name: Name of the element.
        children: Content; a plain `str` is text and gets escaped.
        attributes: `class_` is `class`, other underscores become hyphens; None omits the attribute.
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
    """Concatenate pieces; a plain `str` is text and gets escaped."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child) for child in children))


def _attribute_name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _attribute_value(value: str | float) -> str:
    # SVG coordinates: a tenth of a unit is finer than a pixel, and keeps files with many points small.
    return f"{value:.6g}" if isinstance(value, float) else str(value)
