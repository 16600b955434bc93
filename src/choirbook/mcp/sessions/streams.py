"""The streams of sessions that this worker holds, each kept true to what its session subscribed to.

A session has one stream at most, and any worker may be the one that holds it: the ledger says which. What is
subscribed through another worker is in the ledger first; a note tells the holder, who reads it there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic

from choirbook.errors import Era, RequestError
from choirbook.library.library import Library
from choirbook.mcp.sessions.registry import Registry
from choirbook.mcp.sessions.store import Ledger, no_session, stream_taken
from choirbook.mcp.stream import ClientStream, Ending
from choirbook.mcp.streams import Streams
from choirbook.runtime.quotas import EVERYONE

log = logging.getLogger("choirbook.mcp.sessions")


class SessionStreams:
    """Holds streams of sessions.

    Args:
        library: What is subscribed to.
        streams: Where streams are kept.
        registry: The way to the ledger.
        on_gone: Called with the id of a session that turns out to have ended; it is to call `end`.
    """

    def __init__(
        self, library: Library, streams: Streams, registry: Registry, on_gone: Callable[[str], None]
    ) -> None:
        self._library = library
        self._streams = streams
        self._registry = registry
        self._on_gone = on_gone
        self._held: dict[str, ClientStream] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def ids(self) -> list[str]:
        """The sessions whose streams are held."""
        return list(self._held)

    def stop(self) -> None:
        """End all tasks."""
        for task in self._tasks:
            task.cancel()

    async def open(self, id_: str, peer: str = EVERYONE) -> ClientStream:
        """Make the stream of a session, and hold it until it has ended.

        Args:
            id_: The session's.
            peer: Who opens it.

        Raises:
            StreamTaken: It has one.
            SessionNotFound: It has ended.
            Overloaded: The ledger cannot be used, or others have taken the last place meanwhile.
            ShareTaken: Others of its peer have.
        """
        await self._library.wait_ready()
        if id_ in self._held:
            raise stream_taken()
        stream = ClientStream(self._streams, Era.HANDSHAKE, None, wants_list=True, peer=peer)
        stream.on_end = lambda: self._release(id_, stream)
        # Held from now on, so that a second GET is refused, and what is subscribed meanwhile gets here.
        self._held[id_] = stream
        try:
            await self._registry.run(
                lambda ledger: ledger.claim(id_, self._registry.name, self._registry.is_alive)
            )
            await self._sync(id_)
            self._streams.admit(peer=peer)
        except BaseException:
            stream.end(Ending.SESSION)
            raise
        if stream.ended is not None:
            raise no_session()
        return stream

    def end(self, id_: str) -> None:
        """End the stream of a session, where it is held here."""
        stream = self._held.get(id_)
        if stream is not None:
            stream.end(Ending.SESSION)

    async def subscribe(self, id_: str, uri: str) -> None:
        """See `Session.subscribe`."""
        await self._tell_holder(id_, await self._registry.run(lambda ledger: ledger.subscribe(id_, uri)))

    async def unsubscribe(self, id_: str, uri: str) -> None:
        """See `Session.unsubscribe`."""
        await self._tell_holder(id_, await self._registry.run(lambda ledger: ledger.unsubscribe(id_, uri)))

    def hear_of_subscriptions(self, id_: str) -> None:
        """Take note that another worker has changed what a session subscribed to."""
        if id_ in self._held:
            self._spawn(partial(self._sync, id_))

    def _release(self, id_: str, stream: ClientStream) -> None:
        """Let go of the stream of a session, which has ended."""
        if self._held.get(id_) is stream:
            del self._held[id_]

        def release(ledger: Ledger) -> None:
            ledger.release(id_, self._registry.name, monotonic())

        self._spawn(partial(self._registry.run, release))

    async def _tell_holder(self, id_: str, holder: str | None) -> None:
        if id_ in self._held:
            await self._sync(id_)
        elif holder is not None:
            await self._registry.tell_of_subscriptions(holder, id_)

    async def _sync(self, id_: str) -> None:
        """Have the stream of a session watch what the ledger says."""
        uris = await self._registry.run(lambda ledger: ledger.subscriptions(id_))
        stream = self._held.get(id_)
        if uris is None:
            self._on_gone(id_)
        elif stream is not None:
            wanted = set(uris)
            for spelling in {each for spellings in stream.watched.values() for each in spellings} - wanted:
                stream.unwatch(spelling)
            for uri in uris:
                # A document that is gone may come back, under the URI that it had.
                document = self._library.document_of(uri)
                stream.watch(document.uri if document is not None else uri.partition("?")[0], uri)

    def _spawn(self, do: Callable[[], Awaitable[object]]) -> None:
        # A call, not a coroutine: where the task is cancelled before its first step, nobody would await that.
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
    """Do what nobody waits for; its failure is in the log already."""
    try:
        await do()
    except RequestError as error:
        log.info("cannot update the session of a stream: %s", error.message)
