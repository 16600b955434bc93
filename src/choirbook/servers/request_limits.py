"""Limit on the waiting requests of one peer. A request that is answered at once never gets here."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from choirbook.errors import RequestError, ShareTaken
from choirbook.http.exchange import Request, Response, Streaming
from choirbook.http.peers import Peers
from choirbook.runtime.quotas import Kind, Shares
from choirbook.servers.uploads import UploadShares

Waiting = Coroutine[Any, Any, Response | Streaming]


class Admission:
    """Lets requests wait, within their peer's share.

    Args:
        peers: Tells whose share a request is part of.
        shares: Limits per peer.
        refuse: Creates the response to a rejected request.
        free: Paths of requests that may always wait: those that report the server's state.
    """

    def __init__(
        self,
        peers: Peers,
        shares: Shares,
        refuse: Callable[[Request, RequestError], Response],
        free: frozenset[str],
    ) -> None:
        self._peers = peers
        self._share = shares[Kind.REQUESTS]
        self._refuse = refuse
        self._free = free
        self.uploads = UploadShares(peers, shares[Kind.UPLOADS])

    async def admit(self, request: Request, waiting: Waiting) -> Response | Streaming:
        """Await the answer to a request, or reject it."""
        if request.path in self._free:
            return await waiting
        peer = self._peers.key_of(request)
        if not self._share.take(peer):
            waiting.close()
            return self._refuse(
                request,
                ShareTaken(
                    f"{self._share.most} requests from your address are already waiting, which is its "
                    "limit. Wait for answers before you send more."
                ),
            )
        try:
            return await waiting
        finally:
            self._share.give_back(peer)
