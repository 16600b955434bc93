"""Limit on the waiting requests of one peer; a request that is answered at once is not counted."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from choirbook.errors import QuotaExceeded, RequestError
from choirbook.http.exchange import Request, Response, Streaming
from choirbook.http.peers import Peers
from choirbook.runtime.quotas import QuotaKind, Quotas
from choirbook.servers.uploads import UploadQuota

PendingAnswer = Coroutine[Any, Any, Response | Streaming]


class RequestLimits:
    """Limits the waiting requests of each peer.

    Args:
        peers: Map requests to peers.
        quotas: Limits per peer.
        refuse: Creates the response to a rejected request.
        free: Paths of requests that may always wait: those that report the server's state.
    """

    def __init__(
        self,
        peers: Peers,
        quotas: Quotas,
        refuse: Callable[[Request, RequestError], Response],
        free: frozenset[str],
    ) -> None:
        self._peers = peers
        self._quota = quotas[QuotaKind.REQUESTS]
        self._refuse = refuse
        self._free = free
        self.uploads = UploadQuota(peers, quotas[QuotaKind.UPLOADS])

    async def admit(self, request: Request, waiting: PendingAnswer) -> Response | Streaming:
        """Await the answer to a request, or reject it."""
        if request.path in self._free:
            return await waiting
        peer = self._peers.key_of(request)
        if not self._quota.take(peer):
            waiting.close()
            return self._refuse(
                request,
                QuotaExceeded(
                    f"{self._quota.most} requests from your address are already waiting, which is its "
                    "limit. Wait for answers before you send more."
                ),
            )
        try:
            return await waiting
        finally:
            self._quota.release(peer)
