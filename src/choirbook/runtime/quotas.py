"""Quotas: limits on the share of a common resource that one peer may hold. Pure.

A total protects the server; a share of it protects the other clients. A peer is an IPv4 address or the /64
network of an IPv6 address, as one machine has all of that. `EVERYONE` stands for clients that cannot be
distinguished: a share would not protect them from one another, and would lower the limit for all of them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from enum import StrEnum

EVERYONE = ""
"""Peer of requests whose client is unknown."""

_ON_THIS_MACHINE = frozenset({"127.0.0.1", "::1"})
"""Addresses that all clients of this machine have, and a proxy on it that is not listed as trusted."""

_IPV6_PREFIX = 64


class QuotaKind(StrEnum):
    """Resources with a quota for each peer: a closed set, as it labels metrics."""

    STREAMS = "streams"
    SUBSCRIPTIONS = "subscriptions"
    """URIs that streams and sessions watch, counted by number or by bytes."""
    SESSIONS = "sessions"
    REQUESTS = "requests"
    """Requests that wait for a document, a search or a thread."""
    UPLOADS = "uploads"
    """Requests whose body has not arrived yet."""
    CONNECTIONS = "connections"
    UNREAD = "unread"
    """Connections whose client does not read what it was sent."""


class Quota:
    """Limit of one resource, and the amounts that each peer holds of it.

    Peers that hold nothing are forgotten, so the memory used is proportional to what is held.

    Args:
        total: Maximum for all peers together; the holder of the total checks that.
        fraction: Fraction of it that one peer may hold, over 0; at 1 there is no limit but the total.
    """

    def __init__(self, total: int, fraction: float) -> None:
        self.most = max(1, int(total * fraction)) if fraction < 1 else total
        """Maximum amount for one peer."""
        self._is_limited = fraction < 1
        self._held: dict[str, int] = {}
        self.full = 0
        """Number of peers that have reached their maximum."""
        self.refused = 0
        """Number of refusals since the start."""

    def __len__(self) -> int:
        """Return the number of peers that hold something."""
        return len(self._held)

    def held_by(self, peer: str) -> int:
        """Return the amount that a peer holds."""
        return self._held.get(peer, 0)

    def has_room(self, peer: str, amount: int = 1) -> bool:
        """Return whether a peer may hold more; a no is counted as a refusal."""
        if not self._limits(peer) or self._held.get(peer, 0) + amount <= self.most:
            return True
        self.refused += 1
        return False

    def take(self, peer: str, amount: int = 1) -> bool:
        """Add to a peer's amount if allowed, and return whether it was."""
        if not self.has_room(peer, amount):
            return False
        self.occupy(peer, amount)
        return True

    def occupy(self, peer: str, amount: int = 1) -> None:
        """Add to the amount of a peer that was found to have room."""
        if amount:
            self._set(peer, self._held.get(peer, 0) + amount)

    def release(self, peer: str, amount: int = 1) -> None:
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


class Quotas:
    """Quotas of one worker, by kind.

    Args:
        fraction: See `Quota`.
        totals: Maximum for all peers together, by kind; a kind without one is not limited.
    """

    def __init__(self, fraction: float = 1.0, totals: Mapping[QuotaKind, int] | None = None) -> None:
        totals = totals or {}
        self.fraction = fraction
        self._quotas = {
            kind: Quota(totals.get(kind, 0), fraction if kind in totals else 1) for kind in QuotaKind
        }

    def __getitem__(self, kind: QuotaKind) -> Quota:
        """Return the quota of a kind."""
        return self._quotas[kind]


def peer_key(address: str) -> str:
    """Return the peer that a client counts as.

    Args:
        address: Address of the client; empty if unknown.
    """
    if not address or address in _ON_THIS_MACHINE:
        return EVERYONE
    if ":" not in address:
        return address
    network = ipaddress.IPv6Network((address.partition("%")[0], _IPV6_PREFIX), strict=False)
    return str(network.network_address)
