"""Checks of a request's `Host` and `Origin` against exact lists.

This is the defence against DNS rebinding: a page of another site can reach a server on this machine, but its
browser sends the site's name as `Host` or `Origin` (MCP, "Security & Endpoint").
"""

from __future__ import annotations

import re

from choirbook.errors import HostMisdirected, InvalidRequest, InvalidSettings, OriginForbidden, RequestError
from choirbook.http.exchange import Headers, Request
from choirbook.settings import ANY_HOST, Settings

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths answered for any `Host`: probes and scrapers use a pod's address, and over HTTP/1.0 none."""

_UNSPECIFIED = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - recognized, not bound
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]@/?#\s]+)(?::\d{1,5})?\Z")
_ORIGIN = re.compile(r"(https?)://([^/@?#\s]+)\Z")
_LOOPBACK_ORIGIN = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?\Z")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_REMEMBERED_HOSTS = 64


class AllowedHosts:
    """Hosts and origins that may use the server.

    Args:
        allowed_hosts: Names accepted in `Host`, without port, in any case; None or `*` accepts all.
        allowed_origins: Origins accepted in addition to those of this machine and the server's own.
    """

    def __init__(self, allowed_hosts: tuple[str, ...] | None, allowed_origins: tuple[str, ...]) -> None:
        accepts_all = allowed_hosts is None or ANY_HOST in allowed_hosts
        self._hosts = None if accepts_all else frozenset(map(_bracketed, allowed_hosts or ()))
        self._origins = frozenset(origin.rstrip("/").lower() for origin in allowed_origins)
        self._accepted: set[str] = set()

    def is_usual(self, request: Request) -> bool:
        """Return whether a request needs no further check: one known `Host`, no `Origin`, no other authority.

        This is true of nearly all requests. Every request pays for this method, so it allocates only one
        list.
        """
        headers, connection = request.headers, request.connection
        hosts = headers.get_all("host")
        return (
            len(hosts) == 1
            and hosts[0] in self._accepted
            and "origin" not in headers
            and (connection is None or connection.authority is None)
        )

    def check(self, request: Request) -> RequestError | None:
        """Return the error for a request's sender, if it is not allowed."""
        headers = request.headers
        malformed = _malformed(headers, "host") or _malformed(headers, "origin")
        if malformed is not None:
            return malformed
        host = headers.get("host")
        authority = request.connection.authority if request.connection is not None else None
        if authority is not None:
            if host is not None and authority.lower() != host.lower():
                return InvalidRequest(
                    "The request line and Host name different authorities (RFC 9112, section 3.2.2). Send "
                    "the path alone, or the same authority in both."
                )
            host = authority
        if host not in self._accepted and not self._accepts(host or "") and request.path not in OPEN_PATHS:
            return HostMisdirected(
                "This server does not serve the request's Host. Use the address that it printed when it "
                "started, or add the name with --allowed-host."
            )
        if "origin" in headers and self.origin_of(headers) is None:
            return OriginForbidden(
                "Pages of this Origin may not use this server. To allow them, add it with --allowed-origin."
            )
        return None

    def origin_of(self, headers: Headers) -> str | None:
        """Return the `Origin` of a request if its pages may use the server; None without one."""
        origin: str | None = headers.get("origin")
        if origin is None:
            return None
        is_allowed = (
            _LOOPBACK_ORIGIN.match(origin) is not None
            or origin.lower() in self._origins
            or self._is_own(origin.lower(), headers)
        )
        return origin if is_allowed else None

    def _accepts(self, host: str) -> bool:
        if self._hosts is not None:
            match = _HOST.match(host)
            if match is None or match[1].lower() not in self._hosts:
                return False
        if host and len(self._accepted) < _REMEMBERED_HOSTS:
            self._accepted.add(host)
        return True

    def _is_own(self, origin: str, headers: Headers) -> bool:
        """Return whether a page was served by this server itself, also behind a proxy that terminates TLS.

        `Host` has been accepted already. Its scheme is unknown here, and proxies such as nginx drop its port.
        """
        match, host = _ORIGIN.match(origin), _HOST.match((headers.get("host") or "").lower())
        if match is None or host is None:
            return False
        site = headers.get("sec-fetch-site")
        if site is not None:
            # Set by the browser, never by a page, and only if the connection is trustworthy: a site whose
            # name was rebound has no certificate for it.
            named = _HOST.match(match[2])
            return site == "same-origin" and named is not None and self._is_name(named[1], host[1])
        port = _DEFAULT_PORTS[match[1]]
        # Without a list the name could be that of a site whose name was rebound.
        return self._hosts is not None and match[2].removesuffix(port) == host[0].removesuffix(port)

    def _is_name(self, name: str, host: str) -> bool:
        # A proxy may send its own name for the server as `Host`, as nginx does by default. A listed name is
        # the server's in any case.
        return name == host or (self._hosts is not None and name in self._hosts)


def hosts_of(settings: Settings) -> tuple[str, ...] | None:
    """Return the names that `choirbook serve` accepts in `Host`; None for any.

    Raises:
        InvalidSettings: The server listens on all addresses, and no name is listed.
    """
    named = settings.allowed_hosts or ()
    if ANY_HOST in named:
        return None
    if settings.host not in _UNSPECIFIED:
        return (*LOOPBACK_HOSTS, settings.host, *named)
    if not named:
        raise InvalidSettings(
            f"The server listens on all addresses ({settings.host}), but no host name is allowed. List each "
            "name that clients use with --allowed-host or in CHOIRBOOK_ALLOWED_HOSTS, such as "
            "standards.example. '*' accepts any name, including pages that reach the server by DNS "
            "rebinding."
        )
    return (*LOOPBACK_HOSTS, *named)


def _bracketed(host: str) -> str:
    """Return a name in the format of `Host`: lower case, an IPv6 address in brackets."""
    host = host.lower()
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _malformed(headers: Headers, name: str) -> InvalidRequest | None:
    if name not in headers:
        return None
    # Granian omits values that are not ASCII, so `get` and `get_all` may know of fewer than were sent.
    values, first = headers.get_all(name), headers.get(name)
    if len(values) > 1:
        return InvalidRequest(f"The request has {len(values)} {name.title()} headers. Send exactly one.")
    if first is None or not first.isascii():
        return InvalidRequest(f"{name.title()} has bytes that are not ASCII. Write the name in Punycode.")
    return None
