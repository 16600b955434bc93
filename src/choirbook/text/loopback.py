"""Recognition of hosts that only this machine reaches. Pure."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Return whether a host is `localhost` or an address of the loopback network.

    Args:
        host: A name, or an address without brackets. No name is resolved.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
