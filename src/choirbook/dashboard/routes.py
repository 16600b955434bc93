"""Routes of the dashboard: the page and its files, the stream, the tree, a document, the cache."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from choirbook.dashboard.assets import PAGE, Asset, load_assets
from choirbook.dashboard.live import Live
from choirbook.dashboard.preview import POLICY, preview
from choirbook.dashboard.readership import Readership
from choirbook.dashboard.tree import Folder, children
from choirbook.dashboard.worker_queries import WorkerQueries
from choirbook.errors import InvalidParams, MethodNotAllowed, MethodNotFound, RequestError
from choirbook.http import sse
from choirbook.http.conditional import matches
from choirbook.http.exchange import Request, Response, Streaming
from choirbook.http.problems import NO_SNIFF, NO_STORE, problem
from choirbook.http.query import fields_of
from choirbook.http.search import SearchRoute
from choirbook.library.library import Library
from choirbook.model import Form, Header, Reading, ResourceInfo, SectionInfo
from choirbook.runtime.threads import Threads
from choirbook.uri import path_of

DASHBOARD = "/dashboard"
BELOW = f"{DASHBOARD}/"
_ASSETS = "assets/"

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
"""Policy of the page (https://www.w3.org/TR/CSP3/): own files only, and no text that becomes markup."""

_COMMON: list[Header] = [
    NO_SNIFF,
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
]
_JSON: list[Header] = [("content-type", "application/json"), NO_STORE, *_COMMON]

MAX_LISTED = 200
"""Maximum number of documents in memory to list."""

MAX_QUERY_BYTES = 16 * 1024


class About(msgspec.Struct, frozen=True, rename="camel"):
    """Facts that do not change while the server runs."""

    library: str
    version: str
    workers: int
    max_resources: int
    """Maximum number of resources in the caches of all workers together."""
    max_bytes: int
    max_latency_ms: float
    """Greatest latency that can be measured, in milliseconds."""


class Dashboard:
    """The page of one library.

    Args:
        library: Library to browse.
        live: Updates of the page, once a second.
        queries: Queries the other workers.
        threads: Run blocking calls.
        readership: Reads by document and client.
        search: Search of the library, not counted as a client's.
        about: Facts to show, see `About`.
    """

    def __init__(
        self,
        library: Library,
        live: Live,
        queries: WorkerQueries,
        threads: Threads,
        readership: Readership,
        search: SearchRoute,
        about: About,
    ) -> None:
        self._library = library
        self._readership = readership
        self.live = live
        self._queries = queries
        self._threads = threads
        self._about = msgspec.json.encode(about)
        self.answered = 0
        """Number of answered requests of open pages, which the figures on the page exclude."""
        self._assets: dict[str, Asset] = {}
        self._handlers: dict[str, Callable[[Request], Coroutine[Any, Any, Response | Streaming]]] = {
            "events": self._stream,
            "about": self._tell_about,
            "tree": self._tree,
            "document": self._document,
            "preview": self._preview,
            "cache": self._cache,
            "usage": self._usage,
            "search": search.respond,
        }

    async def respond(self, request: Request) -> Response | Streaming:
        """Answer requests to `/dashboard` and below; never raises."""
        self.answered += 1
        try:
            answer = await self._respond(request)
        except RequestError as error:
            answer = problem(error)
        if request.method == "HEAD" and isinstance(answer, Response):
            headers = [*answer.headers, ("content-length", str(len(answer.body)))]
            return Response(answer.status, headers)
        return answer

    async def _respond(self, request: Request) -> Response | Streaming:
        if request.method not in {"GET", "HEAD"}:
            raise MethodNotAllowed(
                f"{request.method[:16]} is not allowed here. Use GET.", {"allow": "GET, HEAD"}
            )
        if len(request.query) > MAX_QUERY_BYTES:
            raise InvalidParams(f"The query is longer than {MAX_QUERY_BYTES} bytes.")
        name = request.path[len(BELOW) :]
        if request.path == BELOW:
            return Response(308, [("location", f"..{DASHBOARD}"), *_COMMON])
        if not name:
            return await self._asset(request, PAGE, [("content-security-policy", _PAGE_POLICY)])
        if name.startswith(_ASSETS):
            return await self._asset(request, name[len(_ASSETS) :], [])
        handler = self._handlers.get(name)
        if handler is None:
            raise MethodNotFound(f"There is no such page. The dashboard is at {DASHBOARD}.")
        return await handler(request)

    async def _asset(self, request: Request, name: str, headers: list[Header]) -> Response:
        if not self._assets:
            self._assets = await self._threads.run(load_assets)
        asset = self._assets.get(name)
        if asset is None:
            raise MethodNotFound(f"The dashboard has no such file. The page is at {DASHBOARD}.")
        common = [("etag", asset.etag), ("cache-control", "no-cache"), *_COMMON, *headers]
        known = request.headers.get("if-none-match")
        if known is not None and matches(known, asset.etag):
            return Response(304, common)
        return Response(200, [("content-type", asset.media_type), *common], asset.body)

    async def _stream(self, request: Request) -> Response | Streaming:
        if request.method == "HEAD":
            return Response(200, sse.HEADERS)
        return Streaming(200, sse.HEADERS, self.live.viewers.admit())

    async def _tell_about(self, _: Request) -> Response:
        return Response(200, _JSON, self._about)

    async def _tree(self, request: Request) -> Response:
        await self._library.wait_ready()
        fields = fields_of(request)
        found = children(self._library.catalog, fields.get("under", ""), fields.get("after"))
        entries = [_folder(each) if isinstance(each, Folder) else _listed(each) for each in found.entries]
        return _json({"entries": entries, "after": found.after})

    async def _document(self, request: Request) -> Response:
        info = await self._named(request)
        workers = await self._queries.use(info.uri)
        document = info.document if isinstance(info, SectionInfo) else info
        usage = await self._readership.of(document.canonical_uri)
        return _json(
            {
                **_listed(info),
                "document": document.uri,
                "documentTitle": document.title,
                "description": info.description,
                "href": path_of(info.uri),
                "tokens": info.tokens,
                "version": info.version,
                "modified": info.modified_ns / 1e9,
                "streams": workers.streams,
                "reads": usage.reads if usage is not None else 0,
                "lastRead": usage.last_read_s if usage is not None else None,
                "cachedBy": workers.workers,
                "cachedForms": workers.forms,
            }
        )

    async def _preview(self, request: Request) -> Response:
        info = await self._named(request)
        answer = self._library.read(info, Form.RAW)
        reading = answer if isinstance(answer, Reading) else await answer
        body = reading.representation.body
        # On a thread, as parsing markdown takes time; not counted as a read of a client.
        page = await self._threads.run(preview, info.title, info.media_type, body, f"{_ASSETS}preview.css")
        headers = [
            ("content-type", "text/html; charset=utf-8"),
            NO_STORE,
            *_COMMON,
            ("content-security-policy", POLICY),
        ]
        return Response(200, headers, page)

    async def _usage(self, _: Request) -> Response:
        return _json(await self._readership.summary())

    async def _cache(self, _: Request) -> Response:
        found = await self._queries.held()
        largest = sorted(found, key=lambda held: (-held.size_bytes, held.uri))[:MAX_LISTED]
        return _json([{"uri": held.uri, "forms": held.forms, "bytes": held.size_bytes} for held in largest])

    async def _named(self, request: Request) -> ResourceInfo:
        uri = fields_of(request).get("uri")
        if uri is None:
            raise InvalidParams("The query has no uri. Use a query such as ?uri=mcp://resources/sdlc/core.")
        await self._library.wait_ready()
        info = self._library.find(uri)
        if isinstance(info, SectionInfo) and info.section is None:
            await self._library.outline(info.document)
            info = self._library.section(info.document, info.wanted)
        return info


def _folder(folder: Folder) -> dict[str, Any]:
    return {"folder": folder.name, "prefix": folder.prefix, "documents": folder.documents}


def _listed(info: ResourceInfo) -> dict[str, Any]:
    return {
        "uri": info.uri,
        "title": info.title,
        "type": info.type,
        "mimeType": info.media_type,
        "size": info.size,
    }


def _json(value: Any) -> Response:
    return Response(200, _JSON, msgspec.json.encode(value))
