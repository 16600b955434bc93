"""Who may talk to the server at all: exact lists of hosts and origins.

The defence against DNS rebinding: a page of another site can reach a server on this machine, but
its browser sends the site's name as `Host` or `Origin` (MCP, "Security & Endpoint").
"""

from __future__ import annotations

import re

from carrel.errors import HostMisdirected, OriginForbidden, RequestError
from carrel.http.exchange import Headers

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]@/?#\s]+)(?::\d{1,5})?\Z")
_LOOPBACK_ORIGIN = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?\Z")
_REMEMBERED_HOSTS = 64


class Edge:
    """The two lists.

    Args:
        allowed_hosts: Names accepted in `Host`, without port, in any case; None accepts all.
        allowed_origins: Origins accepted beside those of this machine.
    """

    def __init__(self, allowed_hosts: tuple[str, ...] | None, allowed_origins: tuple[str, ...]) -> None:
        self._hosts = None if allowed_hosts is None else frozenset(host.lower() for host in allowed_hosts)
        self._origins = frozenset(origin.rstrip("/").lower() for origin in allowed_origins)
        self._accepted: set[str] = set()

    def check(self, headers: Headers) -> RequestError | None:
        """Return what is wrong with a request's sender, if anything."""
        if self._hosts is not None:
            host = headers.get("host") or ""
            if host not in self._accepted and not self._accept(host):
                return HostMisdirected(
                    "This server does not answer for the request's Host. "
                    "Use the address it printed at its start, or add the name with --allowed-host."
                )
        origin = headers.get("origin")
        if origin is not None and not self._is_allowed(origin):
            return OriginForbidden(
                "Pages of this Origin may not use this server. Add it with --allowed-origin if they should."
            )
        return None

    def _accept(self, host: str) -> bool:
        match = _HOST.match(host)
        if match is None or self._hosts is None or match[1].lower() not in self._hosts:
            return False
        if len(self._accepted) < _REMEMBERED_HOSTS:
            self._accepted.add(host)
        return True

    def _is_allowed(self, origin: str) -> bool:
        return _LOOPBACK_ORIGIN.match(origin) is not None or origin.lower() in self._origins
