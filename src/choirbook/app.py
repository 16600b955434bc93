"""Composition root: settings -> objects -> one app.

Nothing else creates collaborators, except `composition`, which holds the parts that take more than a line.
"""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from choirbook import __version__
from choirbook.catalog.catalog import Catalog
from choirbook.composition.admin import make_admin_server
from choirbook.composition.dashboard import make_dashboard
from choirbook.composition.features import FeatureMaker, ToolMaker, make_features
from choirbook.composition.library import make_library, make_shared_level
from choirbook.composition.notifications import make_sessions, make_streams
from choirbook.composition.quotas import make_connection_limits, make_quotas, make_request_limits
from choirbook.composition.routes import make_router
from choirbook.composition.telemetry import Telemetry
from choirbook.composition.usage import make_usage_ledger
from choirbook.documents.rendering import Stamp
from choirbook.http.introspection import Introspection
from choirbook.http.peers import Peers
from choirbook.http.proxies import Proxies
from choirbook.library.cluster import Cluster
from choirbook.library.preload import Preloader
from choirbook.library.scanner import open_library
from choirbook.mcp.dispatch import Dispatcher
from choirbook.mcp.streamable_http import StreamableHttp
from choirbook.model import Source
from choirbook.observe.log_writer import LineWriter
from choirbook.observe.shared_metrics import SharedMetrics
from choirbook.runtime.threads import Threads
from choirbook.search.service import SearchService
from choirbook.servers.asgi.server import AsgiServer, Scope
from choirbook.servers.asgi.streams import Receive, Send
from choirbook.servers.rsgi.server import RsgiServer
from choirbook.servers.shutdown import ShutdownSignals
from choirbook.settings import Settings
from choirbook.usage.schema import require_place
from choirbook.workers.cache_control import CacheControl
from choirbook.workers.rpc import WorkerRpc

__all__ = ["IO_THREADS", "Application", "FeatureMaker", "ToolMaker", "create_app"]

IO_THREADS = 4
"""Number of I/O threads: reads of a cold library are limited by the disk or, if cached, by one core."""

RPC_DIRECTORY = "rpc"
"""Name of the directory, below that of a server's workers, by which they call each other."""


class Application:
    """One served library. The same object is an RSGI and an ASGI app.

    Args:
        settings: See `Settings`.
        source: Source of the library.
        catalog: Catalog of the library; if it is filled already, the app is ready at once.
        shared_metrics: Metrics cells, shared with the other workers.
        writer: Writes log lines.
        shared: Directory shared by the workers of this server; None if there is one process only.
        admin: Listens for admin calls, see `AdminServer`; None for no admin API.
        tools: Read-only tools in addition to Choirbook's own, offered even if those are disabled.
        features: Further parts of the protocol.
    """

    def __init__(
        self,
        settings: Settings,
        source: Source,
        catalog: Catalog,
        shared_metrics: SharedMetrics,
        writer: LineWriter,
        shared: Path | None = None,
        *,
        admin: socket.socket | None = None,
        tools: Sequence[ToolMaker] = (),
        features: Sequence[FeatureMaker] = (),
    ) -> None:
        self.settings = settings
        self._source = source
        self._writer = writer
        self._threads = threads = Threads(IO_THREADS)
        self._is_up = False
        stamp = Stamp(int(settings.client_ttl_s * 1000), {"name": "choirbook", "version": __version__})
        level = make_shared_level(settings, catalog.rules.name, stamp)
        self.library = library = make_library(settings, source, catalog, threads, stamp, level)
        self.cluster = Cluster(library, level.feed, source) if level is not None else None
        """Propagates changes to other hosts; None without Redis."""
        self.usage = make_usage_ledger(settings, catalog, shared)
        """Record of reads by document and client."""
        self._telemetry = telemetry = Telemetry(
            settings, __version__, library, self.usage, threads, shared_metrics, writer
        )
        self.record = telemetry.record
        """Record a response that was sent; see `Observer.record`."""
        observer = telemetry.observer
        self.search = SearchService(library, source, observer.record_search, self.usage.note_empty_search)
        self._preloader = Preloader(library, observer.flush)
        self._rpc = rpc = WorkerRpc(None if shared is None else shared / RPC_DIRECTORY)
        self.cache_control = CacheControl(library, self._preloader, self.cluster, rpc, observer.flush)
        self._admin = make_admin_server(settings, self.cache_control, telemetry.count, admin)

        proxies, quotas = Proxies(settings.trusted_proxies), make_quotas(settings)
        peers = Peers(proxies)
        self.streams = make_streams(settings, catalog, observer.refresh_soon, quotas)
        offered = make_features(settings, library, self.search, self.streams, threads, tools, features, peers)
        self.dispatcher = Dispatcher(offered.features, settings.max_batch_bytes)
        self._operations = offered.operations + self.dispatcher.operations
        self.sessions = make_sessions(
            settings, library, self.streams, self.dispatcher, shared, rpc, observer.refresh_soon, peers
        )
        telemetry.watch_clients(self.streams, self.sessions, quotas)

        watched = (library, self.streams, self.search, self.usage)
        self._dashboard = make_dashboard(
            settings, __version__, *watched, threads, shared_metrics, observer, rpc
        )
        preloader = self._preloader if settings.preload else None
        self._router = make_router(
            settings,
            library,
            self.search,
            StreamableHttp(self.dispatcher, self.sessions),
            Introspection(library, telemetry.expose, __version__, preloader, proxies.prefix_of),
            self._dashboard,
            proxies,
        )
        self.respond, self.calls = telemetry.watch_answers(self._router, self.dispatcher)
        self.tracing = telemetry.tracing
        """Tracing, if enabled by `OTEL_*`; otherwise None."""

        self._connection_limits = make_connection_limits(settings, peers, quotas)
        request_limits = make_request_limits(peers, quotas)
        limits = (settings.max_body_bytes, settings.body_timeout_s, settings.stall_s, request_limits)
        # Granian uses the attribute as it is; a method here would add a coroutine to every request.
        rsgi = RsgiServer(self.respond, self.record, *limits, self._router.add_cors)
        self.__rsgi__ = rsgi.serve
        self.begin = rsgi.begin
        """See `RsgiServer.begin`; `choirbook serve` makes Granian call it for each request."""
        self._asgi = AsgiServer(
            self.respond, self.record, self.start, self.stop, *limits, self._router.add_cors
        )
        self._shutdown_signals = ShutdownSignals(rsgi.leave, self._end_streams)

    async def start(self) -> None:
        """Start the app on the running event loop; repeated calls have no effect."""
        if self._is_up:
            return
        self._is_up = True
        await self._telemetry.start(self._operations)
        self.usage.note_library(self.library.catalog.uris())
        self.usage.start()
        self.library.start()
        self.streams.start()
        self.sessions.start()
        # After all objects that register questions and notes.
        await self._rpc.start()
        if self._admin is not None:
            self._admin.start()
        self._shutdown_signals.start()
        if self.cluster is not None:
            self.cluster.start()
        if self.settings.preload:
            self._preloader.start()
        if self._dashboard is not None:
            self._dashboard.live.start()

    async def stop(self) -> None:
        """Stop the app: end streams and tasks, flush the log."""
        self._shutdown_signals.stop()
        self._connection_limits.stop()
        self._end_streams()
        if self._dashboard is not None:
            await self._dashboard.live.stop()
        await self.sessions.stop()
        if self._admin is not None:
            await self._admin.stop()
        await self.cache_control.stop()
        # Before the objects that a question of another worker could start again.
        await self._rpc.stop()
        await self._preloader.stop()
        await self.search.stop()
        if self.cluster is not None:
            await self.cluster.stop()
        await self.library.stop()
        await self._telemetry.stop()
        self._is_up = False
        await asyncio.to_thread(self._close)

    @asynccontextmanager
    async def lifespan(self, _: object = None) -> AsyncIterator[None]:
        """Keep the app running for as long as the context lasts; fits `FastAPI(lifespan=app.lifespan)`."""
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    async def _start_connection_limits(self) -> None:
        self._connection_limits.start()

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
        """Start the app before Granian accepts requests."""
        loop.run_until_complete(self.start())
        # Not in `start`: under another server the connections of the process are not all of this app.
        loop.run_until_complete(self._start_connection_limits())
        # Objects that exist now live as long as the process: exclude them from garbage collection.
        gc.collect()
        gc.freeze()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stop the app after Granian has answered the last request."""
        loop.run_until_complete(self.stop())


def create_app(
    settings: Settings | None = None,
    *,
    tools: Sequence[ToolMaker] = (),
    features: Sequence[FeatureMaker] = (),
) -> Application:
    """Create the app of a library.

    Args:
        settings: Settings; the defaults if None.
        tools: Your own read-only tools in addition to Choirbook's, as in `examples/own_tool.py`.
        features: Further parts of the protocol.

    Raises:
        InvalidLibrary: The library's directory or rules cannot be used.
        InvalidSettings: The usage file cannot be created at the configured place.
        ExtraMissing: Redis is configured, but its client library is not installed.
        ValueError: A tool's name is taken, or clients could not use its definition.
    """
    settings = settings or Settings()
    require_place(settings.usage)
    source, rules = open_library(settings.root, settings.max_document_bytes, is_near=settings.source_is_near)
    return Application(
        settings, source, Catalog(rules), SharedMetrics(), LineWriter(), tools=tools, features=features
    )
