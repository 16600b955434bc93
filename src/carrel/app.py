"""The composition root: settings -> objects -> one app. Nothing else makes collaborators."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from carrel import __version__
from carrel.caretaking import Caretaker
from carrel.catalog import Catalog
from carrel.composing import (
    make_access_log,
    make_dashboard,
    make_library,
    make_shared_level,
    make_usage_ledger,
)
from carrel.dashboard.routes import BELOW, DASHBOARD, Dashboard
from carrel.dashboard.slowest import Slowest
from carrel.http.edge import Edge
from carrel.http.exchange import Handler, Operation, Response
from carrel.http.introspection import Introspection
from carrel.http.negotiation import Exposition
from carrel.http.rest import LISTING, PREFIX, Rest
from carrel.http.router import Router, Subtree, get_only
from carrel.http.search import SEARCH, SearchRoute
from carrel.http.timing import timed
from carrel.library import Library
from carrel.mcp.completion import Completion
from carrel.mcp.dispatch import Calls, Dispatcher
from carrel.mcp.lifecycle import Lifecycle
from carrel.mcp.prompts import Prompts
from carrel.mcp.resources import Resources
from carrel.mcp.results import Feature
from carrel.mcp.sessions import Sessions
from carrel.mcp.streamable import ENDPOINT, StreamableHttp
from carrel.mcp.streams import Streams
from carrel.mcp.subscriptions import Subscriptions
from carrel.mcp.tools import Tools
from carrel.mcp.tools.listing import list_tool
from carrel.mcp.tools.outlining import outline_tool
from carrel.mcp.tools.reading import read_tool
from carrel.mcp.tools.searching import search_tool
from carrel.mcp.tools.tool import Tool
from carrel.model import Change, Source
from carrel.observe.attribution import Attribution, stating
from carrel.observe.cells import Cells
from carrel.observe.exposition import exposition
from carrel.observe.lines import LineWriter
from carrel.observe.metrics import HITS, MISSES, STALE
from carrel.observe.observer import Observer
from carrel.observe.pushing import record_pushing
from carrel.observe.recorder import Recorder
from carrel.observe.totals import totals
from carrel.observe.tracing.switch import plan_of
from carrel.observe.tracing.tracing import Tracing
from carrel.observe.vitals import Vitals
from carrel.preloading import Preloading
from carrel.rendering import Stamp
from carrel.search.searching import Search
from carrel.servers.asgi import AsgiServer, Scope
from carrel.servers.asgi_streams import Receive, Send
from carrel.servers.rsgi import RsgiServer
from carrel.servers.stopping import StopWatch
from carrel.settings import Settings
from carrel.sharing import Sharing
from carrel.surveying import open_library
from carrel.threads import Threads
from carrel.usage.store import require_place

if TYPE_CHECKING:
    from carrel.admin.answers import Counts
    from carrel.servers.plain import PlainServer

HEAD_START_S = 0.15
"""What other workers get to see a change in, before this one tells clients of it: all look at the same time,
and one that is busy is late by what it does meanwhile. A third of what a client may wait."""

IO_THREADS = 4
"""Reads of a cold library are bound by the disk or, from the page cache, by one core."""

NEIGHBOURS = "neighbours"
"""Where in the directory of a server's workers they ask each other about their caches."""

INSTRUCTIONS = (
    "This server holds a team's engineering standards, coding patterns and document templates. "
    "List the resources, then read those that fit the task at hand before you write code or documents."
)
TOOLS_INSTRUCTIONS = (
    " A model that can only call tools does the same with search and read; "
    "read one section instead of a long document where that is enough."
)

ToolMaker = Callable[[Library], Tool]
"""Makes a tool over the library that is served."""

FeatureMaker = Callable[[Library], Feature]
"""Makes a feature over it. Its methods stand in for those of the same name."""


class Application:
    """One library, served. The same object is an RSGI and an ASGI app.

    Args:
        settings: See `Settings`.
        source: The library's source.
        catalog: Its catalog; when it is filled already, the app is ready at once.
        cells: Where metrics go, shared with the other workers.
        writer: Where log lines go.
        shared: A directory of this server's workers alone; None where there is one process only.
        admin: Listens for admin calls, see `PlainServer`; None for none.
        tools: Read-only tools beside Carrel's own, also where those are switched off.
        features: Further parts of the protocol.
    """

    def __init__(
        self,
        settings: Settings,
        source: Source,
        catalog: Catalog,
        cells: Cells,
        writer: LineWriter,
        shared: Path | None = None,
        *,
        admin: socket.socket | None = None,
        tools: Sequence[ToolMaker] = (),
        features: Sequence[FeatureMaker] = (),
    ) -> None:
        self.settings = settings
        self._source = source
        self._threads = Threads(IO_THREADS)
        self._cells = cells
        self._writer = writer
        self._is_up = False
        stamp = Stamp(int(settings.client_ttl_s * 1000), {"name": "carrel", "version": __version__})
        level = make_shared_level(settings, catalog.rules.name, stamp)
        self.library = make_library(settings, source, catalog, self._threads, stamp, level)
        self._sharing = Sharing(self.library, level.feed, source) if level is not None else None
        self._observer = Observer(make_access_log(settings, writer), self.library, writer)
        self.usage = make_usage_ledger(settings, shared)
        """What is read, and by whom."""
        self._vitals = Vitals(self._observer.refresh_gauges)
        # Where nothing is to be told, nothing is noted: no read asks whether it should be.
        self._has_figures = settings.metrics or bool(settings.dashboard)
        is_counted = self._has_figures or settings.usage is not None or settings.counts_clients
        self._plan = plan_of(os.environ)
        is_told = is_counted or settings.access_log or self._plan is not None
        self.record = self._observer.record if is_told else _pass_over
        """Take note of a response that was sent; see `Observer.record`."""
        self.search = Search(self.library, source, self._observer.record_search, self.usage.note_empty_search)
        self._preloading = Preloading(self.library, self._observer.flush)
        neighbours = None if shared is None else shared / NEIGHBOURS
        self.caretaker = Caretaker(self.library, self._preloading, neighbours, self._observer.flush)
        self.streams = Streams(
            catalog,
            settings.max_streams,
            settings.keep_alive_s,
            self._observer.refresh_soon,
            HEAD_START_S if settings.workers > 1 else 0.0,
        )
        self._admin = self._admin_server(admin) if admin is not None else None
        self._operations: tuple[Operation, ...] = ()
        self.dispatcher = Dispatcher(self._features(tools, features))
        self._operations += self.dispatcher.operations
        self.sessions = Sessions(
            self.library,
            self.streams,
            self.dispatcher,
            shared,
            settings.max_sessions,
            settings.session_idle_s,
            self._observer.refresh_soon,
            knows_clients=settings.counts_clients,
        )
        attribution = Attribution(self.usage, self.sessions)
        if settings.counts_clients:
            self._observer.also_batches(attribution.take)
        else:
            self._observer.also_batches(attribution.take_reads)
        catalog.listen(self._note_change)
        self._observer.also(partial(record_pushing, self.streams, self.sessions))
        self._dashboard = self._show(shared) if settings.dashboard else None
        self._router = self._route()
        limits = (settings.max_body_bytes, settings.body_timeout_s, settings.stall_s)
        self.tracing = self._trace()
        """Where `OTEL_*` asks for traces; None where it does not."""
        self.respond, self.calls = self._answering()
        # Granian takes the attribute as it is; a method here would add a coroutine to every request.
        rsgi = RsgiServer(self.respond, self.record, *limits)
        self.__rsgi__ = rsgi.serve
        self.begin = rsgi.begin
        """See `RsgiServer.begin`; `carrel serve` has Granian's requests come this way."""
        self._stop_watch = StopWatch(rsgi.leave, self._end_streams)
        self._asgi = AsgiServer(self.respond, self.record, self.start, self.stop, *limits)

    async def start(self) -> None:
        """Bring the app up on the running event loop; again and again does no harm."""
        if self._is_up:
            return
        self._is_up = True
        if self._has_figures:
            types = self.library.catalog.rules.types
            recorder = Recorder(self._cells.claim(), types, self._operations)
            self._observer.start(recorder)
            self._vitals.start(recorder)
        self.usage.note_library(self.library.catalog.uris())
        self.usage.start()
        if self.tracing is not None:
            await self.tracing.start()
        self.library.start()
        self.streams.start()
        await self.sessions.start()
        await self.caretaker.start()
        if self._admin is not None:
            self._admin.start()
        self._stop_watch.start()
        if self._sharing is not None:
            self._sharing.start()
        if self.settings.preload:
            self._preloading.start()
        if self._dashboard is not None:
            self._dashboard.live.start()

    async def stop(self) -> None:
        """Bring it down: end the streams and tasks, write out the log."""
        self._stop_watch.stop()
        self._end_streams()
        if self._dashboard is not None:
            await self._dashboard.live.stop()
        await self.sessions.stop()
        if self._admin is not None:
            await self._admin.stop()
        await self.caretaker.stop()
        await self.search.stop()
        if self._sharing is not None:
            await self._sharing.stop()
        await self.library.stop()
        self._vitals.stop()
        self._observer.stop()
        if self.tracing is not None:
            await self.tracing.stop()
        self._is_up = False
        await asyncio.to_thread(self._close)

    @asynccontextmanager
    async def lifespan(self, _: object = None) -> AsyncIterator[None]:
        """Keep the app up for as long as the context lasts; fits `FastAPI(lifespan=app.lifespan)`."""
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    def _end_streams(self) -> None:
        self.streams.close()
        if self._dashboard is not None:
            self._dashboard.live.viewers.close()

    def _close(self) -> None:
        self.usage.close()
        self._threads.close()
        self._source.close()
        self._writer.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        await self._asgi(scope, receive, send)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Bring the app up before Granian accepts requests."""
        loop.run_until_complete(self.start())
        # What is there now stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Bring it down after Granian has answered the last request."""
        loop.run_until_complete(self.stop())

    def _features(
        self, more_tools: Sequence[ToolMaker], more_features: Sequence[FeatureMaker]
    ) -> list[Feature]:
        library = self.library
        prompts = Prompts(self.library, self._threads, self.settings.page_size)
        instructions = INSTRUCTIONS
        features: list[Feature] = [
            Resources(self.library, self.settings.page_size),
            prompts,
            Completion(self.library, self._threads, prompts),
        ]
        tools: list[Tool] = []
        if self.settings.tools:
            instructions += TOOLS_INSTRUCTIONS
            search = search_tool(self.search, library.stamp)
            tools = [list_tool(library), search, read_tool(library), outline_tool(library)]
        tools += [make(library) for make in more_tools]
        if tools:
            prepare = self.search.prepare if self.settings.tools else None
            offered = Tools(tools, library, prepare)
            self._operations += offered.operations
            features.append(offered)
        features += [make(library) for make in more_features]
        pushing: list[Feature] = [Subscriptions(self.library, self.streams)]
        lifecycle = Lifecycle(features, pushing, self.library.stamp, instructions)
        return [*features, *pushing, lifecycle]

    def _route(self) -> Router:
        rest = Rest(self.library)
        preloading = self._preloading if self.settings.preload else None
        itself = Introspection(self.library, self._expose, __version__, preloading)
        routes = {
            LISTING: get_only(rest.list),
            SEARCH: get_only(SearchRoute(self.search).respond),
            ENDPOINT: StreamableHttp(self.dispatcher, self.sessions).respond,
            "/healthz": get_only(itself.healthz),
            "/readyz": get_only(itself.readyz),
            "/openapi.json": get_only(itself.openapi),
        }
        if self.settings.metrics:
            routes["/metrics"] = get_only(itself.metrics)
        further = []
        if self._dashboard is not None:
            routes[DASHBOARD] = self._dashboard.respond
            further.append(Subtree(BELOW, self._dashboard.respond))
        edge = Edge(self.settings.allowed_hosts, self.settings.allowed_origins)
        return Router(edge, routes, Subtree(PREFIX, rest.read), further)

    def _show(self, shared: Path | None) -> Dashboard:
        slowest = Slowest()
        self._observer.also_batches(slowest.take)
        return make_dashboard(
            self.settings,
            __version__,
            self.library,
            self.streams,
            self.search,
            self.usage,
            self._threads,
            self._cells,
            slowest,
            shared,
        )

    def _note_change(self, change: Change) -> None:
        find = self.library.catalog.find
        added = (info for uri in change.added if (info := find(uri)) is not None)
        # Under its alias a document would be there twice.
        documents = tuple(info.uri for info in added if info.uri == info.canonical_uri)
        self.usage.note_change(documents, change.removed)

    def _trace(self) -> Tracing | None:
        if self._plan is None:
            return None
        slow_s, route_of = self.settings.trace_slow_s, self._router.route_of
        tracing = Tracing(self._plan, slow_s, self.library, self._threads, route_of, __version__)
        self._observer.also_batches(tracing.take)
        return tracing

    def _answering(self) -> tuple[Handler, Calls]:
        """Return what answers HTTP requests, and what the calls that come through a pipe."""
        respond: Handler = self._router.respond
        if self.settings.counts_clients or self.settings.log_request_ids:
            respond = stating(respond)
        if self.settings.server_timing:
            respond = timed(respond)
        if self.tracing is None:
            return respond, self.dispatcher
        return self.tracing.before(respond), self.tracing.before_calls(self.dispatcher)

    def _admin_server(self, listener: socket.socket) -> PlainServer:
        # Off by default: h11 and what else it takes are imported where it is on.
        from carrel.admin.surface import Surface
        from carrel.servers.plain import PlainServer

        surface = Surface(self.caretaker, self._count, self.settings.admin_token)
        return PlainServer(listener, surface.begin)

    async def _count(self) -> Counts | None:
        from carrel.admin.answers import Counts

        if not self.settings.metrics:
            return None
        # Not on the threads of the library, all of which may wait for a source that hangs.
        found = await asyncio.to_thread(totals, self._cells)
        return Counts(found[HITS], found[MISSES], found[STALE])

    async def _expose(self, format_: Exposition) -> bytes:
        self._vitals.write()
        self._observer.flush()
        # It reads /proc.
        return await self._threads.run(exposition, self._cells, format_)


def _pass_over(_: Response, __: float) -> None:
    """Take no note of a response."""


def create_app(
    settings: Settings | None = None,
    *,
    tools: Sequence[ToolMaker] = (),
    features: Sequence[FeatureMaker] = (),
) -> Application:
    """Make the app of a library.

    Args:
        settings: The defaults when None.
        tools: Read-only tools of your own beside Carrel's, as in `examples/own_tool.py`.
        features: Further parts of the protocol.

    Raises:
        InvalidLibrary: The library's directory or rules cannot be used.
        InvalidSettings: The usage file cannot be where it should.
        ExtraMissing: Redis is asked for, and its client library is not installed.
        ValueError: A tool's name is taken, or a client could not use its definition.
    """
    settings = settings or Settings()
    require_place(settings.usage)
    source, rules = open_library(settings.root, settings.max_document_bytes, is_near=settings.source_is_near)
    return Application(
        settings, source, Catalog(rules), Cells(), LineWriter(), tools=tools, features=features
    )
