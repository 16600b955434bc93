"""Limits on the share of each peer."""

from __future__ import annotations

from choirbook.errors import Era, RequestError
from choirbook.http.exchange import Request, Response
from choirbook.http.peers import Peers
from choirbook.http.problems import problem
from choirbook.mcp.dispatch import failed
from choirbook.mcp.messages import Message, decode
from choirbook.mcp.open_streams import MAX_WATCHED_BYTES
from choirbook.mcp.protocol import Fault, is_modern_header, version_headers
from choirbook.mcp.streamable_http import ENDPOINT
from choirbook.runtime.quotas import Kind, Shares
from choirbook.servers.connection_limits import BESIDE_STREAMS, IN_FLIGHT_BYTES, Crowding
from choirbook.servers.request_limits import Admission
from choirbook.settings import Settings

UNLIMITED_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""They report the server's state, which is requested most when it is saturated."""


def make_shares(settings: Settings) -> Shares:
    """Create the shares of one worker; those of sessions are in their ledger."""
    return Shares(
        settings.peer_share,
        {
            Kind.STREAMS: settings.max_streams,
            Kind.SUBSCRIPTIONS: MAX_WATCHED_BYTES,
            Kind.REQUESTS: settings.max_waiting_reads,
            Kind.UPLOADS: settings.max_waiting_reads,
            Kind.CONNECTIONS: settings.max_streams + BESIDE_STREAMS,
            Kind.UNREAD: max(1, IN_FLIGHT_BYTES // settings.max_document_bytes),
        },
    )


def make_admission(peers: Peers, shares: Shares) -> Admission:
    """Create the limit on waiting requests."""
    return Admission(peers, shares, _refuse, UNLIMITED_PATHS)


def make_crowding(settings: Settings, peers: Peers, shares: Shares) -> Crowding:
    """Create the limit on connections."""
    return Crowding(settings.port, settings.max_streams + BESIDE_STREAMS, shares, peers.key)


def _refuse(request: Request, error: RequestError) -> Response:
    """Create the response to a rejected request, in the format that its client expects."""
    if request.path != ENDPOINT:
        return problem(error)
    message = decode(request.body)
    id_ = message.id if isinstance(message, Message) else None
    is_modern = is_modern_header(version_headers(request.headers))
    return failed(Fault(error, Era.MODERN if is_modern else Era.HANDSHAKE, id_))
