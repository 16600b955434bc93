"""The methods of both eras, and what each asks of the library.

A result is JSON bytes, ready to be spliced behind a request's id, together with what was read on
the way; what has to wait is a coroutine of one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from msgspec import UNSET

from carrel.errors import Era, InvalidParams, MethodNotFound, ResourceNotFound
from carrel.library import Library
from carrel.mcp.protocol import Call
from carrel.mcp.revisions import HANDSHAKE, NEWEST_HANDSHAKE, SERVED
from carrel.model import Form, Reading, ResourceInfo
from carrel.paging import decode_cursor, encode_cursor
from carrel.rendering import iso8601, modern_result

MAX_READY_PAGES = 64
"""Listing pages kept ready: the first page of every listing, and walks through a large one."""

_FORMS = {Era.HANDSHAKE: Form.MCP_HANDSHAKE, Era.MODERN: Form.MCP_MODERN}


class Result(msgspec.Struct, frozen=True, gc=False):
    """What a method returns."""

    body: bytes
    reading: Reading | None = None


Outcome = Result | Coroutine[Any, Any, Result]


class Methods:
    """The method table over one library.

    Args:
        library: What is read.
        page_size: Resources on one page of a listing.
        instructions: What clients may tell their model about the server.
    """

    def __init__(self, library: Library, page_size: int, instructions: str) -> None:
        self._library = library
        self._page_size = page_size
        self._instructions = instructions
        self._pages: OrderedDict[tuple[int, str | None, Era], bytes] = OrderedDict()
        shared: dict[str, Callable[[Call], Outcome]] = {
            "resources/read": self._read,
            "resources/list": self._list,
            "resources/templates/list": self._list_templates,
        }
        self._tables: dict[Era, dict[str, Callable[[Call], Outcome]]] = {
            Era.HANDSHAKE: {**shared, "initialize": self._initialize, "ping": self._ping},
            Era.MODERN: {**shared, "server/discover": self._discover},
        }

    def call(self, call: Call) -> Outcome:
        """Carry out a request.

        Raises:
            RequestError: What the client is to be told; a coroutine may raise it as well.
        """
        method = self._tables[call.era].get(call.method)
        if method is None:
            raise MethodNotFound(
                f"There is no method {call.method[:64]!r} here. "
                f"The methods are: {', '.join(self._tables[call.era])}."
            )
        return method(call)

    def _read(self, call: Call) -> Outcome:
        uri = call.params.uri
        if uri is UNSET:
            raise InvalidParams("resources/read needs the parameter uri.")
        try:
            info = self._library.find(uri)
        except ResourceNotFound:
            if self._library.is_ready:
                raise
            return self._when_ready(call, self._read)
        reading = self._library.read(info, _FORMS[call.era])
        if isinstance(reading, Reading):
            return Result(reading.representation.body, reading)
        return self._await_reading(reading)

    async def _await_reading(self, loading: Coroutine[Any, Any, Reading]) -> Result:
        reading = await loading
        return Result(reading.representation.body, reading)

    async def _when_ready(self, call: Call, method: Callable[[Call], Outcome]) -> Result:
        await self._library.wait_ready()
        outcome = method(call)
        return outcome if isinstance(outcome, Result) else await outcome

    def _list(self, call: Call) -> Outcome:
        if not self._library.is_ready:
            return self._when_ready(call, self._list)
        cursor = call.params.cursor
        after = None if cursor is UNSET else decode_cursor(cursor)
        key = (self._library.catalog.generation, after, call.era)
        body = self._pages.get(key)
        if body is None:
            body = self._render_page(after, call.era)
            self._pages[key] = body
            if len(self._pages) > MAX_READY_PAGES:
                self._pages.popitem(last=False)
        return Result(body)

    def _render_page(self, after: str | None, era: Era) -> bytes:
        page = self._library.catalog.page(after, self._page_size)
        members = b'"resources":' + msgspec.json.encode([_listed(info) for info in page.infos])
        if page.last_uri is not None:
            members += b',"nextCursor":' + msgspec.json.encode(encode_cursor(page.last_uri))
        return self._finish(members, era)

    def _list_templates(self, call: Call) -> Outcome:
        # All templates fit on one page, so no cursor was ever handed out.
        if call.params.cursor is not UNSET:
            decode_cursor(call.params.cursor)
            return Result(self._finish(b'"resourceTemplates":[]', call.era))
        templates = [
            {
                "uriTemplate": collection.template.text,
                "name": collection.type,
                **({"description": collection.description} if collection.description else {}),
            }
            for collection in self._library.catalog.rules.collections
            if collection.template.variables
        ]
        return Result(self._finish(b'"resourceTemplates":' + msgspec.json.encode(templates), call.era))

    def _initialize(self, call: Call) -> Outcome:
        requested = call.params.protocol_version
        if requested is UNSET:
            raise InvalidParams("initialize needs the parameter protocolVersion.")
        result = {
            "protocolVersion": requested if requested in HANDSHAKE else NEWEST_HANDSHAKE,
            "capabilities": {"resources": {}},
            "serverInfo": self._library.stamp.server_info,
            "instructions": self._instructions,
        }
        return Result(msgspec.json.encode(result))

    def _ping(self, _: Call) -> Outcome:
        return Result(b"{}")

    def _discover(self, call: Call) -> Outcome:
        members = {
            "supportedVersions": SERVED,
            "capabilities": {"resources": {}},
            "instructions": self._instructions,
        }
        return Result(self._finish(msgspec.json.encode(members)[1:-1], call.era))

    def _finish(self, members: bytes, era: Era) -> bytes:
        return modern_result(members, self._library.stamp) if era is Era.MODERN else b"{" + members + b"}"


def _listed(info: ResourceInfo) -> dict[str, Any]:
    listed: dict[str, Any] = {"uri": info.uri, "name": info.name, "title": info.title}
    if info.description:
        listed["description"] = info.description
    listed["mimeType"] = info.media_type
    listed["size"] = info.size
    listed["annotations"] = {"lastModified": iso8601(info.modified_ns)}
    return listed
