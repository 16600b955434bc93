"""The tool `list`: the documents of the library, a page at a time."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import UNSET, UnsetType

from choirbook.catalog.cursors import decode_cursor, encode_cursor
from choirbook.catalog.rules import Rules
from choirbook.documents.rendering import iso8601
from choirbook.errors import Era, InvalidParams
from choirbook.library.library import Library
from choirbook.mcp.listings import ListingPages
from choirbook.mcp.results import Outcome, Result, finish
from choirbook.mcp.tools.tool import Arguments, Tool, described, members
from choirbook.model import ResourceInfo
from choirbook.uri import MAX_URI_BYTES

PAGE_SIZE = 50
"""Number of documents in one result: a model has to read them all."""

AUTHORITY = "mcp://resources/"


class ListArguments(Arguments, frozen=True):
    """The arguments of `list`."""

    type: Annotated[str | None, described("Only documents of this type, such as pattern or template.")] = None
    prefix: Annotated[
        str | None,
        described(
            "Only documents whose URI begins with this, such as patterns/python or mcp://resources/patterns/."
        ),
    ] = None
    cursor: Annotated[
        str | None,
        described("Cursor of the previous result, for the next page. Pass the same type and prefix."),
    ] = None


class ListedDocument(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One document of a listing."""

    uri: str
    title: str
    type: str
    mime_type: str
    size: int
    tokens: int
    last_modified: str
    description: str | UnsetType = UNSET


class DocumentList(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Structured content that the tool returns."""

    documents: list[ListedDocument]
    total: int
    """Number of documents on all pages."""
    next_cursor: str | UnsetType = UNSET


class _Lister:
    def __init__(self, library: Library) -> None:
        self._library = library
        self._pages = ListingPages()

    def call(self, arguments: ListArguments, era: Era) -> Outcome:
        catalog = self._library.catalog
        types = catalog.rules.types
        if arguments.type is not None and arguments.type not in types:
            raise InvalidParams(
                f"There is no type {arguments.type[:32]!r}. The types are: {', '.join(types)}.",
                {"types": list(types)},
            )
        prefix = _canonical_prefix(arguments.prefix or "")
        after = decode_cursor(arguments.cursor) if arguments.cursor is not None else None
        key = (catalog.generation, arguments.type, prefix, after, era)
        ready = self._pages.get(key)
        if ready is not None:
            return ready
        return self._pages.put(key, self._render(arguments.type, prefix, after, era))

    def _render(self, type_: str | None, prefix: str, after: str | None, era: Era) -> Result:
        catalog = self._library.catalog
        page = catalog.page(after, PAGE_SIZE, type_, prefix)
        listing = DocumentList(
            [_listed(info) for info in page.infos],
            catalog.count(type_, prefix),
            encode_cursor(page.last_uri) if page.last_uri is not None else UNSET,
        )
        text = _spell(listing, type_, prefix, catalog.rules)
        body = members(text, listing, page.infos)
        return finish(body, era, self._library.stamp, cacheable=False)


def list_tool(library: Library) -> Tool:
    """Create the tool for a library."""
    return Tool(
        name="list",
        title="List the documents",
        description=(
            "List the documents of the team's library, its engineering standards, coding patterns and "
            "document templates, with the title, description and length of each."
        ),
        arguments=ListArguments,
        output=DocumentList,
        call=_Lister(library).call,
    )


def _canonical_prefix(prefix: str) -> str:
    """Return a prefix of canonical URIs; a text without a scheme is a path of the usual authority."""
    if len(prefix) > MAX_URI_BYTES:
        raise InvalidParams(f"The prefix is longer than {MAX_URI_BYTES} characters.")
    if not prefix:
        return ""
    whole = prefix if "://" in prefix else AUTHORITY + prefix.lstrip("/")
    return quote(whole, safe="%/-._~!$&'()*+,=:@")


def _listed(info: ResourceInfo) -> ListedDocument:
    return ListedDocument(
        info.uri,
        info.title,
        info.type,
        info.media_type,
        info.size,
        info.tokens,
        iso8601(info.modified_ns),
        info.description or UNSET,
    )


def _spell(listing: DocumentList, type_: str | None, prefix: str, rules: Rules) -> str:
    kind = f" of type {type_}" if type_ is not None else ""
    where = f" under {prefix}" if prefix else ""
    if not listing.total:
        beginnings = dict.fromkeys(each.template.text.partition("{")[0] for each in rules.collections)
        return f"There are no documents{kind}{where}. URIs begin with: {', '.join(beginnings)}."
    lines = [f"{len(listing.documents)} of {listing.total} documents{kind}{where}:"]
    for each in listing.documents:
        lines += ["", f"{each.title}\n{each.uri}\n{each.size:,} bytes, about {each.tokens:,} tokens"]
        if each.description is not UNSET:
            lines.append(each.description)
    if listing.next_cursor is not UNSET:
        lines += ["", f"[There are more. Call list with the cursor {listing.next_cursor}]"]
    return "\n".join(lines)
