"""HTML and SVG from the package's templates: Jinja2 escapes what is not markup already."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("choirbook_perf"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(template: str, **values: object) -> str:
    """Fill in a template."""
    return _environment().get_template(template).render(values)


def call(template: str, macro: str, *arguments: object) -> Markup:
    """Call a macro of a template.

    Args:
        template: File name of the template.
        macro: Name of the macro.
        arguments: A plain `str` is text and gets escaped.
    """
    made: Markup = getattr(_environment().get_template(template).module, macro)(*arguments)
    return made
