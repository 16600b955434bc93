"""Health, readiness, metrics, and the description of the interface."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from choirbook.http.exchange import PrefixOf, Request, Response, mount_of
from choirbook.http.negotiation import Exposition, choose_exposition
from choirbook.http.openapi import openapi_document
from choirbook.http.problems import NO_SNIFF, NO_STORE, RETRY_AFTER_S
from choirbook.library.library import Library
from choirbook.library.preload import Preloader
from choirbook.model import Header

_JSON: list[Header] = [("content-type", "application/json"), NO_STORE, NO_SNIFF]


class Introspection:
    """Routes for operators and API clients, beside those of the library.

    Args:
        library: Library whose readiness is reported.
        expose: Returns the metrics of all workers, in the requested format.
        version: Version of the server.
        preloader: Preloads the library; None if disabled.
        prefix_of: Returns the path prefix under which a client finds this server.
    """

    def __init__(
        self,
        library: Library,
        expose: Callable[[Exposition], Awaitable[bytes]],
        version: str,
        preloader: Preloader | None = None,
        prefix_of: PrefixOf = mount_of,
    ) -> None:
        self._library = library
        self._expose = expose
        self._preloader = preloader
        self._openapi = msgspec.json.encode(openapi_document(version))
        self._version = version
        self._prefix_of = prefix_of

    def healthz(self, _: Request) -> Response:
        """Report that the process answers; checks no dependencies."""
        return Response(200, _JSON, b'{"status":"ok"}')

    def readyz(self, _: Request) -> Response:
        """Report whether the first scan is complete, and which present rules cannot be used."""
        if not self._library.is_ready:
            headers = [*_JSON, ("retry-after", str(RETRY_AFTER_S))]
            starting = {"status": "starting"}
            if self._library.follower.trouble:
                starting["reason"] = self._library.follower.trouble
            return Response(503, headers, msgspec.json.encode(starting))
        state: dict[str, Any] = {
            "status": "ready",
            "resources": len(self._library.catalog),
            "generation": self._library.catalog.generation,
            "watching": self._library.follower.watching,
            "degraded": list(self._library.follower.rule_faults),
            "version": self._version,
        }
        if self._preloader is not None:
            state["preloaded"] = self._preloader.preloaded
            state["preloading"] = self._preloader.is_running
        return Response(200, _JSON, msgspec.json.encode(state))

    async def metrics(self, request: Request) -> Response:
        """Return the metrics of all workers."""
        chosen = choose_exposition(",".join(request.headers.get_all("accept")))
        body = await self._expose(chosen)
        headers = [("content-type", chosen.value), ("vary", "accept"), NO_STORE, NO_SNIFF]
        return Response(200, headers, body)

    def openapi(self, request: Request) -> Response:
        """Return the description of the HTTP interface."""
        prefix = self._prefix_of(request)
        # Clients and proxies decide which prefixes exist, so nothing is cached for them.
        document = msgspec.json.encode(openapi_document(self._version, prefix)) if prefix else self._openapi
        return Response(200, [("content-type", "application/json"), NO_SNIFF], document)
