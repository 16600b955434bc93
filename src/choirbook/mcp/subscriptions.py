"""Subscription methods: `subscriptions/listen`, and `resources/subscribe` of the handshake era.

Only kinds that the server has are honoured: changes of resources, and of their listing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from choirbook.errors import Era, InvalidParams, MethodNotFound
from choirbook.http.peers import Peers
from choirbook.library.library import Library
from choirbook.mcp.client_stream import ClientStream
from choirbook.mcp.messages import parameters
from choirbook.mcp.notification_messages import acknowledged, completed
from choirbook.mcp.open_streams import OpenStreams
from choirbook.mcp.protocol import Call, Session
from choirbook.mcp.results import Method, Outcome, Result

MAX_URIS = 1000
"""Maximum number of URIs in one subscription; it is kept for as long as the client listens."""

_WATCH_BYTES = 160
"""Approximate size of a watched URI in addition to its text, in bytes."""

_URIS_AT_ONCE = 64
"""URIs to look up before other tasks run."""


class _Filter(msgspec.Struct, frozen=True, rename="camel"):
    """Notifications that a client requests; kinds that this server lacks are ignored."""

    resources_list_changed: bool = False
    resource_subscriptions: list[str] | None = None


class _Listen(msgspec.Struct, frozen=True):
    notifications: _Filter


class Subscriptions:
    """Methods by which clients subscribe.

    Args:
        library: Library to subscribe to.
        streams: Open streams of this worker.
        peers: Map requests to peers.
    """

    def __init__(self, library: Library, streams: OpenStreams, peers: Peers) -> None:
        self._peers = peers
        self._library = library
        self._streams = streams

    def methods(self, era: Era) -> Mapping[str, Method]:
        """Return the methods that the feature has in an era, by name."""
        if era is Era.MODERN:
            return {"subscriptions/listen": self._listen}
        return {"resources/subscribe": self._subscribe, "resources/unsubscribe": self._unsubscribe}

    def capabilities(self, _: Era) -> Mapping[str, Any]:
        """Return the members it adds to `ServerCapabilities`."""
        return {"resources": {"subscribe": True, "listChanged": True}}

    async def _listen(self, call: Call) -> Result:
        assert call.id is not None, "a notification is answered without asking the method"
        wanted = parameters(call.source, _Listen).notifications
        uris = list(dict.fromkeys(wanted.resource_subscriptions or ()))
        if len(uris) > MAX_URIS:
            raise InvalidParams(
                f"resourceSubscriptions has {len(uris)} URIs; at most {MAX_URIS} are allowed in one "
                "subscription. Listen to resourcesListChanged, or open more subscriptions."
            )
        peer = self._peers.key_of(call.request)
        self._streams.admit(len(uris), _bytes_of(uris), peer)
        await self._library.wait_ready()
        known = await self._known(uris)
        uri_bytes = _bytes_of(known)
        self._streams.admit(len(known), uri_bytes, peer)
        honoured: dict[str, Any] = {}
        if wanted.resources_list_changed:
            honoured["resourcesListChanged"] = True
        if wanted.resource_subscriptions is not None:
            honoured["resourceSubscriptions"] = list(known)
        stream = ClientStream(
            self._streams,
            Era.MODERN,
            call.id,
            wants_list=wanted.resources_list_changed,
            opening=(acknowledged(honoured, call.id),),
            closing=(completed(call.id),),
            peer=peer,
            uri_bytes=uri_bytes,
        )
        for uri, key in known.items():
            stream.watch(key, uri)
        return Result(b"", stream=stream)

    async def _known(self, uris: list[str]) -> dict[str, str]:
        """Return the existing URIs, with the catalog's spelling of each."""
        known: dict[str, str] = {}
        for count, uri in enumerate(uris, start=1):
            info = self._library.document_of(uri)
            if info is not None:
                # If both are the same text, one copy is kept.
                known[info.uri if info.uri == uri else uri] = info.uri
            if count % _URIS_AT_ONCE == 0:
                await asyncio.sleep(0)
        return known

    def _subscribe(self, call: Call) -> Outcome:
        session, uri = _session_and_uri(call)
        return self._subscribe_once_ready(session, uri)

    async def _subscribe_once_ready(self, session: Session, uri: str) -> Result:
        await self._library.wait_ready()
        self._library.find(uri)
        await session.subscribe(uri)
        return Result(b"{}")

    def _unsubscribe(self, call: Call) -> Outcome:
        session, uri = _session_and_uri(call)
        return self._unsubscribe_from(session, uri)

    async def _unsubscribe_from(self, session: Session, uri: str) -> Result:
        await session.unsubscribe(uri)
        return Result(b"{}")


def _bytes_of(uris: Iterable[str]) -> int:
    return sum(sys.getsizeof(uri) + _WATCH_BYTES for uri in uris)


def _session_and_uri(call: Call) -> tuple[Session, str]:
    """Return the session and URI of a handshake-era subscription.

    Raises:
        MethodNotFound: The client has no session, so it was not offered subscriptions.
        InvalidParams: There is no URI.
    """
    if call.session is None:
        raise MethodNotFound(
            f"{call.method} needs a session. Send initialize with text/event-stream in Accept, then the "
            "Mcp-Session-Id of its answer with every request."
        )
    if call.params.uri is UNSET:
        raise InvalidParams(f"{call.method} needs the parameter uri.")
    return call.session, call.params.uri
