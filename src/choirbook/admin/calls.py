"""Admin surface: authentication, the calls, and one log line for each call.

Knows nothing of sockets: `admin/server` passes each call to it. The public surfaces know nothing of it.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from choirbook.admin.answers import INVALIDATE, STATS, WARM, Counts, CrewAnswer, InvalidateAnswer
from choirbook.admin.bodies import StatsBody, WarmBody, decode, scope_of
from choirbook.errors import (
    MethodNotAllowed,
    MethodNotFound,
    RequestError,
    Unauthenticated,
    UnsupportedMediaType,
)
from choirbook.http.exchange import MAX_LOGGED_URI, Headers, Request, Response
from choirbook.http.problems import NO_SNIFF, NO_STORE, problem
from choirbook.model import Header, Invalidation
from choirbook.workers.cache_control import Caretaker
from choirbook.workers.status import Crew

log = logging.getLogger("choirbook.admin")
# Each call is logged, whatever the log level.
log.setLevel(logging.INFO)

_HEADERS: list[Header] = [("content-type", "application/json"), NO_STORE, NO_SNIFF]
_MAX_METHOD = 16
_SCHEME = "bearer"


class Surface:
    """Calls of the admin surface.

    Args:
        caretaker: Carries out the calls.
        count: Counts the reads of all workers; None if metrics are disabled.
        token: Token that a call must send; "" if everyone who can connect may call.
    """

    def __init__(
        self, caretaker: Caretaker, count: Callable[[], Awaitable[Counts | None]], token: str
    ) -> None:
        self._caretaker = caretaker
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
        """Check the bearer token of a call (RFC 6750, section 2.1).

        Raises:
            Unauthenticated: It is missing or wrong.
        """
        if not self._token:
            return
        given = headers.get_all("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        # In constant time, which reveals nothing about how much of it was right.
        is_right = hmac.compare_digest(token.strip().encode("utf-8", "replace"), self._token)
        if scheme.lower() != _SCHEME or not is_right:
            raise Unauthenticated(
                "This call needs the server's admin token. Send it as 'Authorization: Bearer TOKEN'; "
                "'choirbook cache' takes it from CHOIRBOOK_ADMIN_TOKEN or --admin-token-file."
            )

    async def _invalidate(self, call: AdminCall, body: bytes) -> Response:
        scope = scope_of(body)
        call.scope = _spell(scope)
        crew = await self._caretaker.invalidate(scope)
        call.outcome = f"{crew.forgotten} invalidated on {_spell_crew(crew)}"
        answer = InvalidateAnswer(
            workers=len(crew.workers),
            silent=crew.silent,
            forgotten=crew.forgotten,
            feed=crew.workers[0].feed,
            uri=scope.uri,
            type=scope.type,
            all=scope == Invalidation(),
        )
        return Response(200, _HEADERS, msgspec.json.encode(answer))

    async def _warm(self, call: AdminCall, body: bytes) -> Response:
        wait_s = decode(body, WarmBody).wait_seconds
        crew = await self._caretaker.warm(wait_s)
        loaded = sum(worker.warming.loaded for worker in crew.workers)
        state = "still loading" if crew.is_warming else "done"
        call.outcome = f"{loaded} loaded on {_spell_crew(crew)}, {state}"
        # RFC 9110, section 15.3.3: accepted, but not complete yet.
        return await self._told(202 if crew.is_warming else 200, crew)

    async def _stats(self, call: AdminCall, body: bytes) -> Response:
        decode(body, StatsBody)
        crew = await self._caretaker.look()
        call.outcome = f"reported {_spell_crew(crew)}"
        return await self._told(200, crew)

    async def _told(self, status: int, crew: Crew) -> Response:
        answer = CrewAnswer(
            workers=crew.workers,
            silent=crew.silent,
            entries=sum(worker.entries for worker in crew.workers),
            bytes=sum(worker.bytes for worker in crew.workers),
            evictions=sum(worker.evictions for worker in crew.workers),
            reads=await self._count(),
        )
        return Response(status, _HEADERS, msgspec.json.encode(answer))


class AdminCall:
    """One call, from its first byte to its log line.

    Args:
        surface: Surface that was called.
        peer: Address of the caller.
    """

    def __init__(self, surface: Surface, peer: str) -> None:
        self._surface = surface
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
            self._surface.check_token(request.headers)
            self._check_head(request)
        except RequestError as error:
            return self.refuse(error)
        return None

    async def respond(self, request: Request) -> Response:
        """Carry out an admitted request."""
        try:
            return await self._surface.routes[request.path](self, request.body)
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
        routes = ", ".join(self._surface.routes)
        if request.path not in self._surface.routes:
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


def _spell_crew(crew: Crew) -> str:
    count = len(crew.workers)
    told = f"{count} worker{'s' if count > 1 else ''}"
    return f"{told}, {crew.silent} silent" if crew.silent else told
