"""Admin API: its calls, and one log line for each call.

Independent of sockets: `admin/server` passes each call to it. The public surfaces do not use it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from choirbook.admin.requests import StatsRequest, WarmRequest, decode, scope_of
from choirbook.admin.responses import INVALIDATE, STATS, WARM, InvalidateResponse, ReadCounts, StatusResponse
from choirbook.admin.token import check_token
from choirbook.errors import (
    MethodNotAllowed,
    MethodNotFound,
    RequestError,
    UnsupportedMediaType,
)
from choirbook.http.exchange import MAX_LOGGED_URI, Headers, Request, Response
from choirbook.http.problems import NO_SNIFF, NO_STORE, problem
from choirbook.model import Header, Invalidation
from choirbook.workers.cache_control import CacheControl
from choirbook.workers.status import ServerStatus

log = logging.getLogger("choirbook.admin")
# Each call is logged, whatever the log level.
log.setLevel(logging.INFO)

_HEADERS: list[Header] = [("content-type", "application/json"), NO_STORE, NO_SNIFF]
_MAX_METHOD = 16


class AdminApi:
    """Calls of the admin API.

    Args:
        cache_control: Carries out the calls.
        count: Counts the reads of all workers; None if metrics are disabled.
        token: Token that a call must send; "" if everyone who can connect may call.
    """

    def __init__(
        self, cache_control: CacheControl, count: Callable[[], Awaitable[ReadCounts | None]], token: str
    ) -> None:
        self._cache_control = cache_control
        self._count = count
        self._token = token.encode()
        self.routes: dict[str, Callable[[AdminCall, bytes], Coroutine[Any, Any, Response]]] = {
            INVALIDATE: self._invalidate,
            WARM: self._warm,
            STATS: self._stats,
        }

    def begin(self, peer: str) -> AdminCall:
        """Begin a call.

        Args:
            peer: Address of the caller.
        """
        return AdminCall(self, peer)

    def check_token(self, headers: Headers) -> None:
        """Check the token of a call.

        Raises:
            Unauthenticated: It is missing or wrong.
        """
        check_token(headers, self._token)

    async def _invalidate(self, call: AdminCall, body: bytes) -> Response:
        scope = scope_of(body)
        call.scope = _spell(scope)
        server_status = await self._cache_control.invalidate(scope)
        call.outcome = f"{server_status.forgotten} invalidated on {_spell_status(server_status)}"
        answer = InvalidateResponse(
            workers=len(server_status.workers),
            silent=server_status.silent,
            forgotten=server_status.forgotten,
            feed=server_status.workers[0].feed,
            uri=scope.uri,
            type=scope.type,
            all=scope == Invalidation(),
        )
        return Response(200, _HEADERS, msgspec.json.encode(answer))

    async def _warm(self, call: AdminCall, body: bytes) -> Response:
        wait_s = decode(body, WarmRequest).wait_seconds
        server_status = await self._cache_control.warm(wait_s)
        loaded = sum(worker.warming.loaded for worker in server_status.workers)
        state = "still loading" if server_status.is_warming else "done"
        call.outcome = f"{loaded} loaded on {_spell_status(server_status)}, {state}"
        # RFC 9110, section 15.3.3: accepted, but not complete yet.
        return await self._status_response(202 if server_status.is_warming else 200, server_status)

    async def _stats(self, call: AdminCall, body: bytes) -> Response:
        decode(body, StatsRequest)
        server_status = await self._cache_control.status()
        call.outcome = f"reported {_spell_status(server_status)}"
        return await self._status_response(200, server_status)

    async def _status_response(self, status: int, server_status: ServerStatus) -> Response:
        answer = StatusResponse(
            workers=server_status.workers,
            silent=server_status.silent,
            entries=sum(worker.entries for worker in server_status.workers),
            bytes=sum(worker.bytes for worker in server_status.workers),
            evictions=sum(worker.evictions for worker in server_status.workers),
            reads=await self._count(),
        )
        return Response(status, _HEADERS, msgspec.json.encode(answer))


class AdminCall:
    """One call, from its first byte to its log line.

    Args:
        api: API that was called.
        peer: Address of the caller.
    """

    def __init__(self, api: AdminApi, peer: str) -> None:
        self._api = api
        self._peer = peer
        self._what = "(invalid request)"
        self.scope = ""
        """Scope of the invalidation, if any."""
        self.outcome = ""
        """Result of the call, once it was carried out."""

    def admit(self, request: Request) -> Response | None:
        """Check a request before its body is read; return the refusal, if there is one."""
        self._what = f"{request.method[:_MAX_METHOD]} {request.path[:MAX_LOGGED_URI]}"
        try:
            self._api.check_token(request.headers)
            self._check_head(request)
        except RequestError as error:
            return self.refuse(error)
        return None

    async def respond(self, request: Request) -> Response:
        """Carry out an admitted request."""
        try:
            return await self._api.routes[request.path](self, request.body)
        except RequestError as error:
            return self.refuse(error)

    def refuse(self, error: RequestError) -> Response:
        """Create the response for an error."""
        self.outcome = type(error).__name__
        return problem(error)

    def end(self, response: Response) -> None:
        """Write the log line."""
        scope = f" {self.scope}" if self.scope else ""
        log.info(
            "admin call %s%s from %s: %d%s",
            self._what,
            scope,
            self._peer,
            response.status,
            f" {self.outcome}" if self.outcome else "",
            extra={
                "fields": {
                    "call": self._what,
                    "scope": self.scope or None,
                    "peer": self._peer,
                    "status": response.status,
                    "outcome": self.outcome or None,
                }
            },
        )

    def _check_head(self, request: Request) -> None:
        routes = ", ".join(self._api.routes)
        if request.path not in self._api.routes:
            raise MethodNotFound(f"There is no such route. The routes are: {routes}.")
        if request.method != "POST":
            raise MethodNotAllowed(
                f"{request.method[:_MAX_METHOD]} is not allowed here. Use POST.", {"allow": "POST"}
            )
        kind = request.headers.get("content-type")
        if kind is not None and kind.partition(";")[0].strip().lower() != "application/json":
            raise UnsupportedMediaType(
                "The body must be JSON. Send it with 'Content-Type: application/json'."
            )


def _spell(scope: Invalidation) -> str:
    if scope.uri is not None:
        return f"uri {scope.uri[:MAX_LOGGED_URI]}"
    return "all" if scope.type is None else f"type {scope.type[:MAX_LOGGED_URI]}"


def _spell_status(server_status: ServerStatus) -> str:
    count = len(server_status.workers)
    workers = f"{count} worker{'s' if count > 1 else ''}"
    return f"{workers}, {server_status.silent} silent" if server_status.silent else workers
