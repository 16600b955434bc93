"""Notifications of changes: streams, and sessions of the handshake era."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from choirbook.catalog.catalog import Catalog
from choirbook.http.peers import Peers
from choirbook.library.library import Library
from choirbook.mcp.dispatch import Dispatcher
from choirbook.mcp.open_streams import OpenStreams
from choirbook.mcp.sessions.http import HttpSessions
from choirbook.runtime.quotas import Quotas
from choirbook.settings import Settings
from choirbook.workers.rpc import WorkerRpc

HEAD_START_S = 0.15
"""Time for other workers to see a change before this one notifies clients, in seconds: all look at the same
time, and a busy one is late. A third of the time that a client may wait."""


def make_streams(
    settings: Settings, catalog: Catalog, on_count: Callable[[], None], quotas: Quotas
) -> OpenStreams:
    """Create the open streams.

    Args:
        settings: See `Settings`.
        catalog: Catalog whose changes they deliver.
        on_count: Called when their number may have changed.
        quotas: Limits per peer.
    """
    head_start_s = HEAD_START_S if settings.workers > 1 else 0.0
    return OpenStreams(catalog, settings.max_streams, settings.keep_alive_s, on_count, head_start_s, quotas)


def make_sessions(
    settings: Settings,
    library: Library,
    streams: OpenStreams,
    dispatcher: Dispatcher,
    shared: Path | None,
    rpc: WorkerRpc,
    on_count: Callable[[], None],
    peers: Peers,
) -> HttpSessions:
    """Create the sessions.

    Args:
        settings: See `Settings`.
        library: Library whose resources clients subscribe to.
        streams: Open streams of this worker.
        dispatcher: Carries out calls.
        shared: Directory shared by the workers of this server; None if there is one process only.
        rpc: Calls the other workers.
        on_count: Called when the number of sessions may have changed.
        peers: Map requests to peers.
    """
    return HttpSessions(
        library,
        streams,
        dispatcher,
        shared,
        rpc,
        settings.max_sessions,
        settings.session_idle_s,
        on_count,
        peers=peers,
        fraction=settings.peer_share,
        knows_clients=settings.counts_clients,
    )
