"""Search over plain HTTP: `GET /mcp/search?q=`."""

from __future__ import annotations

from typing import Any

import msgspec

from choirbook.errors import InvalidParams, RequestError
from choirbook.http.exchange import PrefixOf, Request, Response, mount_of
from choirbook.http.problems import NO_SNIFF, problem
from choirbook.http.query import fields_of, limit_of
from choirbook.model import Header
from choirbook.search.query import MAX_CHARACTERS
from choirbook.search.results import Hit
from choirbook.search.service import DEFAULT_LIMIT, MAX_LIMIT, SearchService
from choirbook.uri import path_of

SEARCH = "/mcp/search"

MAX_QUERY_BYTES = 16 * 1024
"""Maximum length of the complete query as sent: room for `MAX_CHARACTERS` of any script, percent-encoded."""

_HEADERS: list[Header] = [("content-type", "application/json"), NO_SNIFF, ("cache-control", "no-cache")]


class SearchRoute:
    """Search route of one library.

    Args:
        search: Search of the library.
        prefix_of: Returns the path prefix under which a client finds this server.
        is_usage: See `SearchService.search`.
    """

    def __init__(
        self, search: SearchService, prefix_of: PrefixOf = mount_of, *, is_usage: bool = True
    ) -> None:
        self._search = search
        self._prefix_of = prefix_of
        self._is_usage = is_usage

    async def respond(self, request: Request) -> Response:
        """Answer a search; never raises."""
        try:
            return await self._respond(request)
        except RequestError as error:
            return problem(error)

    async def _respond(self, request: Request) -> Response:
        if len(request.query) > MAX_QUERY_BYTES:
            raise InvalidParams(f"The query is too long: q can have at most {MAX_CHARACTERS} characters.")
        fields = fields_of(request)
        query = fields.get("q")
        if query is None:
            raise InvalidParams("The query has no q. Use a query such as /mcp/search?q=error+handling.")
        limit = limit_of(fields, DEFAULT_LIMIT, MAX_LIMIT)
        results = await self._search.search(query, fields.get("type"), limit, is_usage=self._is_usage)
        prefix = self._prefix_of(request)
        document = {
            "results": [_described(hit, prefix) for hit in results.hits],
            "more": results.more,
            "complete": results.complete,
        }
        return Response(200, _HEADERS, msgspec.json.encode(document))


def _described(hit: Hit, prefix: str) -> dict[str, Any]:
    return {
        "uri": hit.uri,
        "href": prefix + path_of(hit.uri),
        "document": hit.info.uri,
        "documentTitle": hit.info.title,
        "section": hit.slug,
        "title": hit.title,
        "headingPath": hit.heading_path,
        "snippet": hit.snippet,
        "type": hit.info.type,
        "mimeType": hit.info.media_type,
        "size": hit.size,
        "tokens": hit.tokens,
        "score": hit.score,
    }
