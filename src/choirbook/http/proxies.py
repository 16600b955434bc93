"""Sender of a request behind trusted proxies. Pure.

Headers such as `X-Forwarded-For` are claims: they count only if the connection itself comes from an address
that the operator listed, and only as far back as the chain of listed addresses goes. Not used on a cached
read.
"""

from __future__ import annotations

import ipaddress
import re

from choirbook.http.exchange import Request
from choirbook.settings import parse_networks

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_FORWARDED = 1024
"""Maximum characters read of a forwarding header; proxies send shorter ones."""

_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]{1,64}){1,8}\Z")


class Proxies:
    """Proxies whose forwarding headers are trusted.

    Args:
        trusted: Addresses or networks, such as `10.0.0.0/8`; `unix` for connections without an address.

    Raises:
        InvalidSettings: An entry is none of these.
    """

    def __init__(self, trusted: tuple[str, ...]) -> None:
        self._trusts_unix = "unix" in trusted
        self._networks = parse_networks(trusted)
        self._trusts_any = self._trusts_unix or bool(self._networks)

    def peer_of(self, request: Request) -> str:
        """Return the address that a request is counted under; empty if unknown.

        That is the connection's address or, behind trusted proxies, the last address in `X-Forwarded-For`
        that is not one of theirs.
        """
        direct = _connected(request)
        if not self._trusts(direct):
            return _text(direct)
        peer = direct
        for claimed in reversed(_forwarded(request, "x-forwarded-for").split(",")):
            address = _address(claimed.strip())
            if address is None:
                break
            peer = address
            if not self._trusts(address):
                break
        return _text(peer)

    def prefix_of(self, request: Request) -> str:
        """Return the path prefix under which a client finds this server, such as `/standards`; may be empty.

        An application that mounts this one sets it in `root_path`, a trusted proxy in `X-Forwarded-Prefix`.
        """
        if not self._trusts_any or not self._trusts(_connected(request)):
            return request.mount
        claimed = _forwarded(request, "x-forwarded-prefix").strip().rstrip("/")
        return f"{claimed}{request.mount}" if _is_prefix(claimed) else request.mount

    def scheme_of(self, request: Request) -> str:
        """Return the scheme by which a client reaches this server: `https` if a trusted proxy reports it."""
        if not self._trusts_any or not self._trusts(_connected(request)):
            return "http"
        return "https" if _forwarded(request, "x-forwarded-proto").strip().lower() == "https" else "http"

    def is_trusted(self, address: str) -> bool:
        """Return whether an address belongs to a trusted proxy."""
        return self._trusts(_address(address))

    def _trusts(self, address: Address | None) -> bool:
        if address is None:
            return self._trusts_unix
        return any(address.version == each.version and address in each for each in self._networks)


def _connected(request: Request) -> Address | None:
    return None if request.connection is None else _address(request.connection.client)


def _address(text: str) -> Address | None:
    """Parse `1.2.3.4`, `1.2.3.4:80`, `::1` or `[::1]:80`."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A dual-stack listener reports IPv4 clients this way; they must not count twice.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _text(address: Address | None) -> str:
    return "" if address is None else str(address)


def _forwarded(request: Request, name: str) -> str:
    value = ",".join(request.headers.get_all(name))
    return value if len(value) <= MAX_FORWARDED else ""


def _is_prefix(claimed: str) -> bool:
    parts = claimed.split("/")
    return _PREFIX.match(claimed) is not None and "." not in parts and ".." not in parts
