"""Notifications of sessions: streams that this worker holds, and the subscriptions that they follow.

A session has one stream at most, held by any worker: the store names it. A subscription through another
worker is written to the store first; a note then makes the holder read it there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic

from choirbook.errors import Era, RequestError
from choirbook.library.library import Library
from choirbook.mcp.client_stream import ClientStream, EndReason
from choirbook.mcp.open_streams import OpenStreams
from choirbook.mcp.sessions.registry import SessionRegistry
from choirbook.mcp.sessions.store import SessionStore, no_session, stream_taken
from choirbook.runtime.quotas import EVERYONE

log = logging.getLogger("choirbook.mcp.sessions")


class SessionStreams:
    """Holds streams of sessions.

    Args:
        library: Library to subscribe to.
        streams: Open streams of this worker.
        registry: Access to the store.
        on_gone: Called with the id of a session that turns out to have ended; must call `end`.
    """

    def __init__(
        self,
        library: Library,
        streams: OpenStreams,
        registry: SessionRegistry,
        on_gone: Callable[[str], None],
    ) -> None:
        self._library = library
        self._streams = streams
        self._registry = registry
        self._on_gone = on_gone
        self._held: dict[str, ClientStream] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def ids(self) -> list[str]:
        """Ids of the sessions whose streams are held."""
        return list(self._held)

    def stop(self) -> None:
        """End all tasks."""
        for task in self._tasks:
            task.cancel()

    async def open(self, id_: str, peer: str = EVERYONE) -> ClientStream:
        """Open the stream of a session, and hold it until it ends.

        Args:
            id_: Id of the session.
            peer: Peer that opens it.

        Raises:
            StreamTaken: The session has one.
            SessionNotFound: The session has ended.
            Overloaded: The store cannot be used, or others have taken the last place meanwhile.
            QuotaExceeded: Its peer has reached its quota meanwhile.
        """
        await self._library.wait_ready()
        if id_ in self._held:
            raise stream_taken()
        stream = ClientStream(self._streams, Era.HANDSHAKE, None, wants_list=True, peer=peer)
        stream.on_end = lambda: self._release(id_, stream)
        # Held from now on, so that a second GET is refused, and subscriptions made meanwhile get here.
        self._held[id_] = stream
        try:
            await self._registry.run(
                lambda store: store.claim(id_, self._registry.name, self._registry.is_alive)
            )
            await self._sync(id_)
            self._streams.admit(peer=peer)
        except BaseException:
            stream.end(EndReason.SESSION)
            raise
        if stream.ended is not None:
            raise no_session()
        return stream

    def end(self, id_: str) -> None:
        """End the stream of a session, if it is held here."""
        stream = self._held.get(id_)
        if stream is not None:
            stream.end(EndReason.SESSION)

    async def subscribe(self, id_: str, uri: str) -> None:
        """See `Session.subscribe`."""
        await self._notify_holder(id_, await self._registry.run(lambda store: store.subscribe(id_, uri)))

    async def unsubscribe(self, id_: str, uri: str) -> None:
        """See `Session.unsubscribe`."""
        await self._notify_holder(id_, await self._registry.run(lambda store: store.unsubscribe(id_, uri)))

    def on_subscriptions_changed(self, id_: str) -> None:
        """Handle that another worker has changed a session's subscriptions."""
        if id_ in self._held:
            self._spawn(partial(self._sync, id_))

    def _release(self, id_: str, stream: ClientStream) -> None:
        """Release the stream of a session after it has ended."""
        if self._held.get(id_) is stream:
            del self._held[id_]

        def release(store: SessionStore) -> None:
            store.release(id_, self._registry.name, monotonic())

        self._spawn(partial(self._registry.run, release))

    async def _notify_holder(self, id_: str, holder: str | None) -> None:
        if id_ in self._held:
            await self._sync(id_)
        elif holder is not None:
            await self._registry.notify_holder(holder, id_)

    async def _sync(self, id_: str) -> None:
        """Update the URIs that a session's stream watches from the store."""
        uris = await self._registry.run(lambda store: store.subscriptions(id_))
        stream = self._held.get(id_)
        if uris is None:
            self._on_gone(id_)
        elif stream is not None:
            wanted = set(uris)
            for spelling in {each for spellings in stream.watched.values() for each in spellings} - wanted:
                stream.unwatch(spelling)
            for uri in uris:
                # A deleted document may come back, under the URI that it had.
                document = self._library.document_of(uri)
                stream.watch(document.uri if document is not None else uri.partition("?")[0], uri)

    def _spawn(self, do: Callable[[], Awaitable[object]]) -> None:
        # A function, not a coroutine, which would never be awaited if the task is cancelled before its first
        # step.
        task = asyncio.create_task(_swallow(do))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class HttpSession:
    """One session, as methods see it."""

    def __init__(self, streams: SessionStreams, id_: str) -> None:
        self._streams = streams
        self._id = id_

    async def subscribe(self, uri: str) -> None:
        """See `Session.subscribe`."""
        await self._streams.subscribe(self._id, uri)

    async def unsubscribe(self, uri: str) -> None:
        """See `Session.unsubscribe`."""
        await self._streams.unsubscribe(self._id, uri)


async def _swallow(do: Callable[[], Awaitable[object]]) -> None:
    """Run a call in the background; its failure is in the log already."""
    try:
        await do()
    except RequestError as error:
        log.info("cannot update the session of a stream: %s", error.message)
