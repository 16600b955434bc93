"""Methods to read and list resources, in both eras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from choirbook.catalog.cursors import decode_cursor, encode_cursor
from choirbook.documents.rendering import META_PREFIX, iso8601
from choirbook.errors import Era, InvalidParams, ResourceNotFound
from choirbook.http.deferred import then
from choirbook.library.library import Library
from choirbook.mcp.listings import ListingPages
from choirbook.mcp.protocol import Call
from choirbook.mcp.results import Method, Outcome, Result, finish, result_of
from choirbook.model import Form, Reading, ResourceInfo

_FORMS = {Era.HANDSHAKE: Form.MCP_HANDSHAKE, Era.MODERN: Form.MCP_MODERN}


class Resources:
    """Resource methods of one library.

    Args:
        library: Library to read from.
        page_size: Number of resources on one page of a listing.
    """

    def __init__(self, library: Library, page_size: int) -> None:
        self._library = library
        self._find = library.catalog.find
        self._page_size = page_size
        self._pages = ListingPages()

    def methods(self, _: Era) -> Mapping[str, Method]:
        """Return the methods that the feature has in an era, by name."""
        return {
            "resources/read": self._read,
            "resources/list": self._list,
            "resources/templates/list": self._list_templates,
        }

    def capabilities(self, _: Era) -> Mapping[str, Any]:
        """Return the members it adds to `ServerCapabilities`."""
        return {"resources": {}}

    def _read(self, call: Call) -> Outcome:
        uri = call.params.uri
        if uri is UNSET:
            raise InvalidParams("resources/read needs the parameter uri.")
        try:
            # A canonical URI, the usual case, is a key already.
            info = self._find(uri) or self._library.find(uri)
        except ResourceNotFound:
            if self._library.is_ready:
                raise
            return self._when_ready(call, self._read)
        reading = self._library.read(info, _FORMS[call.era])
        # A cached read takes this branch: `then` and `result_of` would cost it two calls.
        if isinstance(reading, Reading):
            return Result(reading.representation.body, reading)
        return then(reading, result_of)

    def _when_ready(self, call: Call, method: Method) -> Outcome:
        # Not in `_read`: variables captured by a closure there would cost every read a cell.
        return then(self._library.wait_ready(), lambda _: method(call))

    def _list(self, call: Call) -> Outcome:
        if not self._library.is_ready:
            return self._when_ready(call, self._list)
        cursor = call.params.cursor
        after = None if cursor is UNSET else decode_cursor(cursor)
        key = (self._library.catalog.generation, after, call.era)
        page = self._pages.get(key)
        return page if page is not None else self._pages.put(key, self._render_page(after, call.era))

    def _render_page(self, after: str | None, era: Era) -> Result:
        page = self._library.catalog.page(after, self._page_size)
        members = b'"resources":' + msgspec.json.encode([_listed(info) for info in page.infos])
        if page.last_uri is not None:
            members += b',"nextCursor":' + msgspec.json.encode(encode_cursor(page.last_uri))
        return finish(members, era, self._library.stamp)

    def _list_templates(self, call: Call) -> Outcome:
        # All templates fit on one page, so no cursor was ever issued.
        if call.params.cursor is not UNSET:
            decode_cursor(call.params.cursor)
            return finish(b'"resourceTemplates":[]', call.era, self._library.stamp)
        templates = [
            {
                "uriTemplate": collection.template.text,
                "name": collection.type,
                **({"description": collection.description} if collection.description else {}),
            }
            for collection in self._library.catalog.rules.collections
            if collection.template.variables
        ]
        members = b'"resourceTemplates":' + msgspec.json.encode(templates)
        return finish(members, call.era, self._library.stamp)


def _listed(info: ResourceInfo) -> dict[str, Any]:
    listed: dict[str, Any] = {"uri": info.uri, "name": info.name, "title": info.title}
    if info.description:
        listed["description"] = info.description
    listed["mimeType"] = info.media_type
    listed["size"] = info.size
    listed["annotations"] = {"lastModified": iso8601(info.modified_ns)}
    # No digest: the bytes of an unread document are not known here.
    listed["_meta"] = {f"{META_PREFIX}tokens": info.tokens}
    return listed
