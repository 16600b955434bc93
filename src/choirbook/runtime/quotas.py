"""Limit what one peer may hold of what is meant for everyone. Pure.

A total protects the server; a share of it protects the other clients. A peer is an IPv4 address or the
/64 network of an IPv6 address, as one machine has all of that. `EVERYONE` stands for clients that cannot be
told apart: a share would protect none of them from another, and lower what all of them get.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from enum import StrEnum

EVERYONE = ""
"""The peer of requests that could be anybody's."""

_ON_THIS_MACHINE = frozenset({"127.0.0.1", "::1"})
"""All clients of this machine, and a proxy on it that is not listed as trusted, have these addresses."""

_IPV6_PREFIX = 64


class Kind(StrEnum):
    """What is shared out: a closed set, as it labels metrics."""

    STREAMS = "streams"
    SUBSCRIPTIONS = "subscriptions"
    """URIs that streams and sessions watch, by number or by bytes."""
    SESSIONS = "sessions"
    REQUESTS = "requests"
    """Requests that wait for something: a document, a search, a thread."""
    UPLOADS = "uploads"
    """Requests whose body has not arrived."""
    CONNECTIONS = "connections"
    UNREAD = "unread"
    """Connections whose client does not take what it was sent."""


class Share:
    """What each peer holds of one total.

    Peers that hold nothing are forgotten, so this takes no more memory than what is held.

    Args:
        total: What all peers may hold together; whoever holds the total checks that.
        fraction: How much of it one peer may hold, over 0; at 1 there is no limit but the total.
    """

    def __init__(self, total: int, fraction: float) -> None:
        self.most = max(1, int(total * fraction)) if fraction < 1 else total
        """What one peer may hold."""
        self._is_limited = fraction < 1
        self._held: dict[str, int] = {}
        self.full = 0
        """Peers that hold as much as they may."""
        self.refused = 0
        """How often a peer wanted more than its share, since the start."""

    def __len__(self) -> int:
        """Return the number of peers that hold something."""
        return len(self._held)

    def held_by(self, peer: str) -> int:
        """Return how much a peer holds."""
        return self._held.get(peer, 0)

    def has_room(self, peer: str, amount: int = 1) -> bool:
        """Tell whether a peer may hold more; a no is counted as a refusal."""
        if not self._limits(peer) or self._held.get(peer, 0) + amount <= self.most:
            return True
        self.refused += 1
        return False

    def take(self, peer: str, amount: int = 1) -> bool:
        """Hold more for a peer if it may, and tell whether it may."""
        if not self.has_room(peer, amount):
            return False
        self.occupy(peer, amount)
        return True

    def occupy(self, peer: str, amount: int = 1) -> None:
        """Hold more for a peer that was found to have room."""
        if amount:
            self._set(peer, self._held.get(peer, 0) + amount)

    def give_back(self, peer: str, amount: int = 1) -> None:
        """Undo an `occupy` or a `take`."""
        if amount:
            self._set(peer, self._held[peer] - amount)

    def _limits(self, peer: str) -> bool:
        return self._is_limited and peer != EVERYONE

    def _set(self, peer: str, amount: int) -> None:
        assert amount >= 0, "more was given back than was held"
        if self._limits(peer):
            self.full += (amount >= self.most) - (self._held.get(peer, 0) >= self.most)
        if amount:
            self._held[peer] = amount
        else:
            self._held.pop(peer, None)


class Shares:
    """One worker's shares.

    Args:
        fraction: See `Share`.
        totals: What all peers may hold together, by kind; without one a kind is not limited.
    """

    def __init__(self, fraction: float = 1.0, totals: Mapping[Kind, int] | None = None) -> None:
        totals = totals or {}
        self.fraction = fraction
        self._shares = {kind: Share(totals.get(kind, 0), fraction if kind in totals else 1) for kind in Kind}

    def __getitem__(self, kind: Kind) -> Share:
        """Return the share of a kind."""
        return self._shares[kind]


def peer_key(address: str) -> str:
    """Return what a client is counted under.

    Args:
        address: Its address; empty where none is known.
    """
    if not address or address in _ON_THIS_MACHINE:
        return EVERYONE
    if ":" not in address:
        return address
    network = ipaddress.IPv6Network((address.partition("%")[0], _IPV6_PREFIX), strict=False)
    return str(network.network_address)
