"""The tool `search`: finds the sections that answer a question."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from choirbook.documents.excerpts import heading
from choirbook.documents.rendering import Stamp
from choirbook.errors import Era
from choirbook.mcp.results import Outcome, Result, finish
from choirbook.mcp.tools.tool import Arguments, Tool, described, members
from choirbook.model import ResourceInfo
from choirbook.search.query import MAX_CHARACTERS
from choirbook.search.results import Hit, Results
from choirbook.search.service import DEFAULT_LIMIT, MAX_LIMIT, SearchService


class SearchArguments(Arguments, frozen=True):
    """The arguments of `search`."""

    query: Annotated[
        str, described("Words to search for, as the documents may use them.", maxLength=MAX_CHARACTERS)
    ]
    type: Annotated[str | None, described("Only documents of this type, such as pattern or template.")] = None
    limit: Annotated[
        int | None,
        described("Maximum number of results.", minimum=1, maximum=MAX_LIMIT, default=DEFAULT_LIMIT),
    ] = None


class FoundSection(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One result."""

    uri: str
    title: str
    document_uri: str
    document_title: str
    type: str
    heading_path: tuple[str, ...]
    snippet: str
    size: int
    tokens: int
    section: str | UnsetType = UNSET


class FoundSections(msgspec.Struct, frozen=True, rename="camel"):
    """Structured content that the tool returns."""

    results: list[FoundSection]
    has_more: bool
    is_complete: bool


class _Searcher:
    def __init__(self, search: SearchService, stamp: Stamp) -> None:
        self._search = search
        self._stamp = stamp

    def call(self, arguments: SearchArguments, era: Era) -> Outcome:
        return self._answer(arguments, era)

    async def _answer(self, arguments: SearchArguments, era: Era) -> Result:
        limit = DEFAULT_LIMIT if arguments.limit is None else arguments.limit
        results = await self._search.search(arguments.query, arguments.type, limit)
        structured = FoundSections([_found(hit) for hit in results.hits], results.more, results.complete)
        body = members(_spell(results), structured, map(_linked, results.hits))
        return finish(body, era, self._stamp, cacheable=False)


def search_tool(search: SearchService, stamp: Stamp) -> Tool:
    """Create the tool for a library's search."""
    return Tool(
        name="search",
        title="Search the documents",
        description=(
            "Find sections about a topic in the team's library, its engineering standards, coding patterns "
            "and document templates. Search before you decide how to do something, then read what fits: "
            "each result has its size, and a uri that you can pass to read unchanged."
        ),
        arguments=SearchArguments,
        output=FoundSections,
        call=_Searcher(search, stamp).call,
    )


def _found(hit: Hit) -> FoundSection:
    return FoundSection(
        hit.uri,
        hit.title,
        hit.info.uri,
        hit.info.title,
        hit.info.type,
        hit.heading_path,
        hit.snippet,
        hit.size,
        hit.tokens,
        UNSET if hit.slug is None else hit.slug,
    )


def _linked(hit: Hit) -> ResourceInfo:
    return msgspec.structs.replace(
        hit.info, uri=hit.uri, title=hit.title, description=" > ".join(hit.heading_path), size=hit.size
    )


def _spell(results: Results) -> str:
    lines = []
    if not results.hits:
        lines.append("Nothing was found. Try other or fewer words, or list the documents.")
    for hit in results.hits:
        lines += [heading(hit.uri, hit.title, hit.size), " > ".join((hit.info.title, *hit.heading_path))]
        lines += [hit.snippet, ""]
    if results.more:
        lines.append("[There are more. Search with more words, or a higher limit.]")
    if not results.complete:
        lines.append("[The library is still being indexed. Search again in a few seconds for the rest.]")
    return "\n".join(lines).rstrip()
