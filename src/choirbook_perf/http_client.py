"""Single blocking requests before and after a load, through no proxy."""

from __future__ import annotations

import http.client
import socket
import urllib.error
import urllib.request
from typing import NamedTuple

from choirbook_perf.errors import ServerUnreachable
from choirbook_perf.targets import Headers, Request

_TIMEOUT_S = 10.0


class Response(NamedTuple):
    """Response of a server."""

    status: int
    headers: Headers
    body: bytes


def fetch(request: Request) -> Response:
    """Send a request and return the response, whatever its status.

    Raises:
        ServerUnreachable: Nothing answers, or not in HTTP.
    """
    # A proxy of the environment is for external addresses, and would distort the measurement.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    sent = urllib.request.Request(request.url, request.body, request.headers, method=request.method)  # noqa: S310
    try:
        with opener.open(sent, timeout=_TIMEOUT_S) as response:
            return Response(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Response(error.code, error.headers, error.read())
    except (OSError, http.client.HTTPException) as error:
        raise ServerUnreachable(
            f"Nothing answers at {request.url}: {_reason(error)}. Start the server, or correct --url."
        ) from error


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer within {_TIMEOUT_S:g} s"
    if isinstance(cause, socket.gaierror):
        return "its name has no address"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__
