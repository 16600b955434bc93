"""Notifications of changes: streams, and sessions of the handshake era."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from choirbook.catalog.catalog import Catalog
from choirbook.http.peers import Peers
from choirbook.library.library import Library
from choirbook.mcp.dispatch import Dispatcher
from choirbook.mcp.open_streams import Streams
from choirbook.mcp.sessions.http import Sessions
from choirbook.runtime.quotas import Shares
from choirbook.settings import Settings
from choirbook.workers.rpc import Neighbours

HEAD_START_S = 0.15
"""Time for other workers to see a change before this one notifies clients, in seconds: all look at the same
time, and a busy one is late. A third of the time that a client may wait."""


def make_streams(
    settings: Settings, catalog: Catalog, on_count: Callable[[], None], shares: Shares
) -> Streams:
    """Create the open streams.

    Args:
        settings: See `Settings`.
        catalog: Catalog whose changes they deliver.
        on_count: Called when their number may have changed.
        shares: Limits per peer.
    """
    head_start_s = HEAD_START_S if settings.workers > 1 else 0.0
    return Streams(catalog, settings.max_streams, settings.keep_alive_s, on_count, head_start_s, shares)


def make_sessions(
    settings: Settings,
    library: Library,
    streams: Streams,
    dispatcher: Dispatcher,
    shared: Path | None,
    neighbours: Neighbours,
    on_count: Callable[[], None],
    peers: Peers,
) -> Sessions:
    """Make the sessions.

    Args:
        settings: See `Settings`.
        library: What is subscribed to.
        streams: Over which subscribers are told.
        dispatcher: What carries out their calls.
        shared: The directory of this server's workers, who have one ledger of them; None where there is one.
        neighbours: The way to the other workers.
        on_count: Called when their number may have changed.
        peers: Tells whose share a session is part of.
    """
    return Sessions(
        library,
        streams,
        dispatcher,
        shared,
        neighbours,
        settings.max_sessions,
        settings.session_idle_s,
        on_count,
        peers=peers,
        fraction=settings.peer_share,
        knows_clients=settings.counts_clients,
    )
