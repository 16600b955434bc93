"""Single blocking requests before and after a load, through no proxy."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from typing import NamedTuple, Self
from urllib.parse import SplitResult, urljoin, urlsplit

from choirbook_perf.access import Access
from choirbook_perf.errors import ServerUnreachable
from choirbook_perf.targets import EventStream, Headers, Request, is_event_stream

_TIMEOUT_S = 10.0
_MAX_REDIRECTS = 5
_CHUNK_BYTES = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Response(NamedTuple):
    """Response of a server."""

    status: int
    headers: Headers
    body: bytes
    url: str = ""
    """URL that answered, after redirects."""


def fetch(request: Request, access: Access | None = None) -> Response:
    """Send a request and return the response, whatever its status; redirects are followed.

    Raises:
        ServerUnreachable: Nothing answers, or not in HTTP.
    """
    with Client(access or Access()) as client:
        return client.send(request)


class Client:
    """Requests one after the other, over one connection as long as the server keeps it open.

    Args:
        access: Headers of the user and trust in the server; the headers are sent to the origin of the first
            request only.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._origin = ""
        self._connected = ""
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(self, request: Request) -> Response:
        """Send a request and return the response; redirects are followed with the same method and body.

        Raises:
            ServerUnreachable: Nothing answers, or not in HTTP, or the redirects lead nowhere.
        """
        self._origin = self._origin or _origin(request.url)
        asked = request.url
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._exchange(self._access.prepare(request))
            place = response.headers.get("location") if response.status in _REDIRECTS else None
            if not place:
                return response
            request = request._replace(url=self._redirected(request.url, str(place)))
        raise ServerUnreachable(
            f"{asked} redirects more than {_MAX_REDIRECTS} times, last to {request.url}. Pass the URL that "
            "answers."
        )

    def _redirected(self, url: str, place: str) -> str:
        target = urljoin(url, place).partition("#")[0]
        if urlsplit(target).scheme not in {"http", "https"}:
            raise ServerUnreachable(f"{url} redirects to {target}, which is not HTTP. Pass another URL.")
        if self._access.headers and _origin(target) != self._origin:
            # A secret for one server is not for the next.
            raise ServerUnreachable(
                f"{url} redirects to {target}, which is another server: the headers of --header are not sent "
                "there. Pass its URL with --url."
            )
        return target

    def _exchange(self, request: Request) -> Response:
        was_open = self._connection is not None and self._connected == _origin(request.url)
        try:
            return self._attempt(request)
        except (ConnectionError, http.client.RemoteDisconnected) as error:
            self.close()
            if not was_open:
                raise _unreachable(request.url, error) from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise _unreachable(request.url, error) from error
        # The server may have closed the connection while it was idle, which says nothing about the request.
        try:
            return self._attempt(request)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise _unreachable(request.url, error) from error

    def _attempt(self, request: Request) -> Response:
        parts = urlsplit(request.url)
        connection = self._connect(parts)
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        connection.request(request.method, target, request.body, request.headers)
        response = connection.getresponse()
        if is_event_stream(response.headers):
            body = _events(response)
            # A stream may stay open after its reply.
            self.close()
        else:
            body = response.read()
        return Response(response.status, response.headers, body, request.url)

    def _connect(self, parts: SplitResult) -> http.client.HTTPConnection:
        origin = _origin(parts.geturl())
        if self._connection is None or self._connected != origin:
            self.close()
            self._connected = origin
            self._connection = self._new(parts)
        return self._connection

    def _new(self, parts: SplitResult) -> http.client.HTTPConnection:
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = self._access.tls.context()
            return http.client.HTTPSConnection(host, parts.port, timeout=_TIMEOUT_S, context=context)
        return http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT_S)


def _events(response: http.client.HTTPResponse) -> bytes:
    """Read a stream of events up to the reply, or to its end."""
    deadline_s = time.monotonic() + _TIMEOUT_S
    stream = EventStream()
    while chunk := response.read1(_CHUNK_BYTES):
        if stream.feed(chunk):
            break
        if time.monotonic() > deadline_s:
            raise TimeoutError
    return bytes(stream.body)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _unreachable(url: str, error: Exception) -> ServerUnreachable:
    if isinstance(error, ssl.SSLCertVerificationError):
        return ServerUnreachable(
            f"The certificate of {url} is not trusted: {error.verify_message}. Pass its authority with --ca "
            "FILE, or accept any certificate with --insecure."
        )
    if isinstance(error, ssl.SSLError):
        return ServerUnreachable(
            f"No TLS connection to {url}: {error.reason or error}. Correct the scheme or port of --url."
        )
    return ServerUnreachable(
        f"Nothing answers at {url}: {_reason(error)}. Start the server, or correct --url."
    )


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT_S:g} s"
    if isinstance(error, socket.gaierror):
        return "its name has no address"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
