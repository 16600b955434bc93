"""Peers: the key under which a request's sender is counted. Pure; not used on a cached read."""

from __future__ import annotations

from choirbook.http.exchange import Request
from choirbook.http.proxies import Proxies
from choirbook.runtime.quotas import EVERYONE, peer_key


class Peers:
    """Maps addresses to peers.

    Args:
        proxies: Trusted proxies; requests of one that does not name its client belong to `EVERYONE`.
    """

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies

    def key_of(self, request: Request | None) -> str:
        """Return the peer of a request, see `choirbook.runtime.quotas`; None means a message from a pipe."""
        return EVERYONE if request is None else self.key(self._proxies.peer_of(request))

    def key(self, address: str) -> str:
        """Return the peer of an address."""
        address = address.removeprefix("::ffff:") if "." in address else address
        return EVERYONE if self._proxies.is_trusted(address) else peer_key(address)
