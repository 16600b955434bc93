"""Routing of requests by path to the surface that answers them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from choirbook.errors import HostMisdirected, MethodNotAllowed, MethodNotFound
from choirbook.http import cors
from choirbook.http.allowed_hosts import AllowedHosts
from choirbook.http.deferred import then
from choirbook.http.exchange import Answer, Handler, Headers, Request, Response, Streaming
from choirbook.http.problems import problem

log = logging.getLogger("choirbook.http")


class Subtree(NamedTuple):
    """All paths that start with a prefix."""

    prefix: str
    handler: Handler


class Router:
    """Checks the sender, then passes the request on.

    Args:
        allowed_hosts: Checks the host and origin of a request.
        routes: Handlers by complete path.
        subtree: Handler of one prefix, tried first because it gets nearly all reads.
        further: Other prefixes, tried last.
        aliases: Other spellings of complete paths, which no message mentions.
    """

    def __init__(
        self,
        allowed_hosts: AllowedHosts,
        routes: Mapping[str, Handler],
        subtree: Subtree,
        further: Sequence[Subtree] = (),
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self._allowed_hosts = allowed_hosts
        self._is_usual = allowed_hosts.is_usual
        self._names = tuple(routes)
        self._aliases = dict(aliases or {})
        self._routes = {**routes, **{alias: routes[path] for alias, path in self._aliases.items()}}
        self._prefix, self._subtree = subtree
        self._further = tuple(further)

    def route_of(self, path: str) -> str | None:
        """Return the name of the route that answers a path; None if there is none."""
        if path.startswith(self._prefix):
            return f"{self._prefix}{{path}}"
        return self._aliases.get(path, path) if path in self._routes else None

    def respond(self, request: Request) -> Answer:
        """Answer a request; never raises."""
        if not self._is_usual(request):
            return self._respond_to_stranger(request)
        return self._route(request)

    def add_cors(self, headers: Headers, response: Response) -> Response:
        """Add CORS headers to a response that was made outside the router, if a page sent the request."""
        origin = self._allowed_hosts.origin_of(headers)
        return response if origin is None else cors.response_with_cors(response, origin)

    def _respond_to_stranger(self, request: Request) -> Answer:
        """Answer a request whose sender must be checked: the first one, or one from a page."""
        refused = self._allowed_hosts.check(request)
        origin = self._allowed_hosts.origin_of(request.headers)
        if refused is not None:
            response = problem(refused)
            # An allowed page may read why it was refused; with another Host it is not known to be allowed.
            is_readable = origin is not None and not isinstance(refused, HostMisdirected)
            return cors.response_with_cors(response, origin or "") if is_readable else response
        if origin is None:
            return self._route(request)
        if cors.is_preflight(request):
            return cors.preflight(request, origin)
        return cors.with_cors(self._route(request), origin)

    def _route(self, request: Request) -> Answer:
        path = request.path
        handler = self._subtree if path.startswith(self._prefix) else self._routes.get(path)
        if handler is None:
            handler = next((each.handler for each in self._further if path.startswith(each.prefix)), None)
        if handler is None:
            return problem(
                MethodNotFound(f"There is no such route. The routes are: {', '.join(self._names)}.")
            )
        return handler(request)


def get_only(handler: Handler) -> Handler:
    """Restrict a handler to `GET` and `HEAD`, the latter without a body."""

    def guarded(request: Request) -> Answer:
        if request.method == "GET":
            return handler(request)
        if request.method == "HEAD":
            answer = handler(request)
            return _without_body(answer) if isinstance(answer, Response) else then(answer, _without_body)
        return problem(
            MethodNotAllowed(f"{request.method[:16]} is not allowed here. Use GET.", {"allow": "GET, HEAD"})
        )

    return guarded


def _without_body(response: Response | Streaming) -> Response:
    assert isinstance(response, Response), "no route with HEAD streams"
    length = ("content-length", str(len(response.body)))
    return Response(response.status, [*response.headers, length], b"", response.reads)
