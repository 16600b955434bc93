"""Outline of a document from its bytes. Pure; runs on a worker thread, never on a hit."""

from __future__ import annotations

from choirbook.documents.media_types import is_xml
from choirbook.documents.sections.elements import named_elements
from choirbook.documents.sections.headings import headings
from choirbook.documents.sections.outline import Outline, assemble

MAX_OUTLINED_BYTES = 1024 * 1024
"""A longer document has no sections: parsing it would keep a core busy for seconds."""


def outline_of(media_type: str, data: bytes) -> Outline:
    """Find a document's sections; the outline is empty if it has none, or cannot be parsed.

    Args:
        media_type: Without parameters.
        data: The complete document.
    """
    if len(data) > MAX_OUTLINED_BYTES:
        return Outline()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return Outline()
    if media_type == "text/markdown":
        return assemble(headings(data))
    return assemble(named_elements(data)) if is_xml(media_type) else Outline()
