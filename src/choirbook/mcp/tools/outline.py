"""The tool `outline`: the sections of a document with their sizes, to read only those that are needed."""

from __future__ import annotations

import msgspec

from choirbook.documents.excerpts import heading
from choirbook.documents.sections.section_uris import section_uri
from choirbook.errors import Era
from choirbook.library.library import Library
from choirbook.mcp.results import Outcome, Result, finish
from choirbook.mcp.tools.tool import Arguments, Tool, Uri, members
from choirbook.model import ResourceInfo, Section, SectionInfo

MAX_SHOWN = 500
"""Maximum number of sections in one result; a document has a few dozen."""


class OutlineArguments(Arguments, frozen=True):
    """The arguments of `outline`."""

    uri: Uri


class OutlinedSection(msgspec.Struct, frozen=True):
    """One section."""

    slug: str
    title: str
    level: int
    uri: str
    size: int
    tokens: int


class OutlinedDocument(msgspec.Struct, frozen=True):
    """Structured content that the tool returns."""

    uri: str
    title: str
    size: int
    tokens: int
    sections: list[OutlinedSection]
    total: int
    """Number of sections of the document, as far as it was parsed."""


class _Outliner:
    def __init__(self, library: Library) -> None:
        self._library = library

    def call(self, arguments: OutlineArguments, era: Era) -> Outcome:
        info = self._library.find(arguments.uri)
        return self._outline(info.document if isinstance(info, SectionInfo) else info, era)

    async def _outline(self, info: ResourceInfo, era: Era) -> Result:
        outline = await self._library.outline(info)
        shown = outline.sections[:MAX_SHOWN]
        structured = OutlinedDocument(
            info.uri,
            info.title,
            info.size,
            info.tokens,
            [_outlined(info.uri, section) for section in shown],
            len(outline.sections),
        )
        text = _spell(info, shown, len(outline.sections))
        return finish(members(text, structured, [info]), era, self._library.stamp, cacheable=False)


def outline_tool(library: Library) -> Tool:
    """Create the tool for a library."""
    return Tool(
        name="outline",
        title="Outline a document",
        description=(
            "Show the sections of a document of the team's library, each with its size in tokens. Use it "
            "before reading a long document, then read the section that matters."
        ),
        arguments=OutlineArguments,
        output=OutlinedDocument,
        call=_Outliner(library).call,
    )


def _outlined(uri: str, section: Section) -> OutlinedSection:
    address = section_uri(uri, section.slug)
    return OutlinedSection(
        section.slug, section.title, section.level, address, section.size_bytes, section.tokens
    )


def _spell(info: ResourceInfo, shown: tuple[Section, ...], total: int) -> str:
    lines = [heading(info.uri, info.title, info.size), ""]
    if not shown:
        return "\n".join([*lines, "It has no sections. Read the complete document."])
    lines.append("Its sections, each with the value to pass to read as section:")
    highest = min(section.level for section in shown)
    lines += [
        f"{'  ' * (section.level - highest)}- {section.title} (section: {section.slug}; "
        f"{section.size_bytes:,} bytes, about {section.tokens:,} tokens)"
        for section in shown
    ]
    if total > len(shown):
        lines.append(f"[And {total - len(shown)} more.]")
    return "\n".join(lines)
