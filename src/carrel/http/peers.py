"""Name the peer that a request is counted under. Pure; nothing here runs on a cached read."""

from __future__ import annotations

import ipaddress

from carrel.http.exchange import Request
from carrel.http.proxies import Proxies
from carrel.settings import parse_networks
from carrel.shares import EVERYONE, peer_key


class Peers:
    """Tells peers apart.

    Args:
        trusted: See `Proxies`. A trusted proxy that does not say for whom it asks may ask for everyone.
    """

    def __init__(self, trusted: tuple[str, ...]) -> None:
        self._proxies = Proxies(trusted)
        self._networks = parse_networks(trusted)

    def key_of(self, request: Request | None) -> str:
        """Return the peer of a request, see `carrel.shares`; None is a message that came by a pipe."""
        return EVERYONE if request is None else self.key(self._proxies.peer_of(request))

    def key(self, address: str) -> str:
        """Return the peer that an address belongs to."""
        address = address.removeprefix("::ffff:") if "." in address else address
        key = peer_key(address)
        if key == EVERYONE or not self._networks:
            return key
        parsed = ipaddress.ip_address(address)
        if any(parsed.version == each.version and parsed in each for each in self._networks):
            return EVERYONE
        return key
