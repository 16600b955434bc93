"""Limit how many requests of one peer wait at once. A request that is answered at once never comes here."""

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
    """Lets requests wait, as far as their peer's share goes.

    Args:
        peers: Tells whose share a request is part of.
        shares: What each peer may hold.
        refuse: Makes the response to a request that may not wait.
        free: Paths of requests that may always wait: what tells of the server's state.
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
        """Await the answer to a request, or refuse it."""
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
