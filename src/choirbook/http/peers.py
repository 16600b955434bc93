"""Name the peer that a request is counted under. Pure; nothing here runs on a cached read."""

from __future__ import annotations

from choirbook.http.exchange import Request
from choirbook.http.proxies import Proxies
from choirbook.runtime.quotas import EVERYONE, peer_key


class Peers:
    """Tells peers apart.

    Args:
        proxies: A trusted one that does not say for whom it asks may ask for everyone.
    """

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies

    def key_of(self, request: Request | None) -> str:
        """Return the peer of a request, see `choirbook.runtime.quotas`; None is a message that came by a pipe."""
        return EVERYONE if request is None else self.key(self._proxies.peer_of(request))

    def key(self, address: str) -> str:
        """Return the peer that an address belongs to."""
        address = address.removeprefix("::ffff:") if "." in address else address
        return EVERYONE if self._proxies.is_trusted(address) else peer_key(address)
