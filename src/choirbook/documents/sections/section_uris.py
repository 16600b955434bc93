"""Sections as resources: their URIs, infos and bytes. Pure."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl, quote

import msgspec

from choirbook.documents.sections.outline import Outline
from choirbook.errors import InvalidUri, SectionNotFound
from choirbook.model import Content, ResourceInfo, Section, SectionInfo
from choirbook.uri import MAX_URI_BYTES

SECTION = "section"
"""Query parameter that names a section, in URIs of both kinds."""

MAX_NAMED = 50
"""Maximum number of sections listed in the error about an unknown one."""

_MAX_ECHO = 64


class Address(NamedTuple):
    """A URI with a section, split."""

    uri: str
    """URI of the document, as the client wrote it."""
    wanted: str


def split_section(uri: str) -> Address | None:
    """Split a URI with a section; None if its query is missing or not about a section alone.

    Raises:
        InvalidUri: The section is not UTF-8.
    """
    document, mark, query = uri.partition("?")
    if not mark or "#" in uri or len(uri) > MAX_URI_BYTES:
        return None
    try:
        fields = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=2)
    except UnicodeDecodeError:
        raise InvalidUri("The URI's section is not UTF-8.") from None
    except ValueError:
        return None
    return Address(document, fields[0][1]) if [name for name, _ in fields] == [SECTION] else None


def section_uri(uri: str, slug: str) -> str:
    """Return the canonical URI of a section of a document."""
    return f"{uri}?{SECTION}={quote(slug, safe='', errors='replace')}"


def section_info(document: ResourceInfo, wanted: str, outline: Outline | None) -> SectionInfo:
    """Return the info of a section's URI.

    Args:
        document: Info of the document.
        wanted: A slug or a title.
        outline: Outline of the document; None if it is not known yet, then the info must be resolved later.

    Raises:
        SectionNotFound: The outline has no such section.
    """
    section = None
    members = msgspec.structs.asdict(document)
    if outline is not None:
        section = outline.find(wanted)
        if section is None:
            raise _not_found(document, wanted, outline)
        members |= {
            "title": section.title,
            "description": " > ".join(section.heading_path),
            "size": section.size_bytes,
        }
        # Infos of one section are equal, however it was requested: caches use them as keys.
        wanted = section.slug
    members["uri"] = section_uri(document.uri, wanted)
    members["canonical_uri"] = section_uri(document.canonical_uri, wanted)
    return SectionInfo(**members, document=document, wanted=wanted, section=section)


def cut(content: Content, section: Section) -> Content:
    """Return a section's part of its document."""
    return Content(content.data[section.start : section.end], content.entry)


def _not_found(document: ResourceInfo, wanted: str, outline: Outline) -> SectionNotFound:
    slugs = [section.slug for section in outline.sections]
    asked = f"There is no section {wanted[:_MAX_ECHO]!r} in {document.uri}."
    if not slugs:
        return SectionNotFound(
            f"{asked} The document has no sections; read the complete document.",
            {"uri": document.uri, "sections": []},
        )
    named = slugs[:MAX_NAMED]
    rest = f", and {len(slugs) - len(named)} more" if len(slugs) > len(named) else ""
    return SectionNotFound(
        f"{asked} The sections are: {', '.join(named)}{rest}.", {"uri": document.uri, "sections": named}
    )
