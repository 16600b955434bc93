"""Quotas of each peer, and the limits that enforce them."""

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
from choirbook.runtime.quotas import QuotaKind, Quotas
from choirbook.servers.connection_limits import BESIDE_STREAMS, IN_FLIGHT_BYTES, ConnectionLimits
from choirbook.servers.request_limits import RequestLimits
from choirbook.settings import Settings

UNLIMITED_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""They report the server's state, which is requested most when it is saturated."""


def make_quotas(settings: Settings) -> Quotas:
    """Create the quotas of one worker; those of sessions are in their store."""
    return Quotas(
        settings.peer_share,
        {
            QuotaKind.STREAMS: settings.max_streams,
            QuotaKind.SUBSCRIPTIONS: MAX_WATCHED_BYTES,
            QuotaKind.REQUESTS: settings.max_waiting_reads,
            QuotaKind.UPLOADS: settings.max_waiting_reads,
            QuotaKind.CONNECTIONS: settings.max_streams + BESIDE_STREAMS,
            QuotaKind.UNREAD: max(1, IN_FLIGHT_BYTES // settings.max_document_bytes),
        },
    )


def make_request_limits(peers: Peers, quotas: Quotas) -> RequestLimits:
    """Create the limit on waiting requests."""
    return RequestLimits(peers, quotas, _refuse, UNLIMITED_PATHS)


def make_connection_limits(settings: Settings, peers: Peers, quotas: Quotas) -> ConnectionLimits:
    """Create the limit on connections."""
    return ConnectionLimits(settings.port, settings.max_streams + BESIDE_STREAMS, quotas, peers.key)


def _refuse(request: Request, error: RequestError) -> Response:
    """Create the response to a rejected request, in the format that its client expects."""
    if request.path != ENDPOINT:
        return problem(error)
    message = decode(request.body)
    id_ = message.id if isinstance(message, Message) else None
    is_modern = is_modern_header(version_headers(request.headers))
    return failed(Fault(error, Era.MODERN if is_modern else Era.HANDSHAKE, id_))
