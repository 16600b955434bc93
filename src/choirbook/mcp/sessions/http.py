"""Sessions of the handshake era over HTTP: `Mcp-Session-Id`, their start and end.

Any worker finds a session in the store that all workers share. It remembers a session for a few seconds, so
that a read within a session costs one dictionary look-up; all workers are notified at once when a session
ends. A client that ignores its session is served without one.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from choirbook.errors import (
    Era,
    InvalidRequest,
    MethodNotAllowed,
    NotAcceptable,
    Overloaded,
    RequestError,
)
from choirbook.http import sse
from choirbook.http.deferred import then
from choirbook.http.exchange import Answer, Headers, Request, Response, Streaming
from choirbook.http.peers import Peers
from choirbook.library.library import Library
from choirbook.mcp.client_info import ClientInfo, client_info_of
from choirbook.mcp.dispatch import Dispatcher, failed
from choirbook.mcp.open_streams import OpenStreams
from choirbook.mcp.protocol import Call, Fault, Session
from choirbook.mcp.revisions import era_of
from choirbook.mcp.sessions.registry import SessionRegistry
from choirbook.mcp.sessions.store import SessionStore, no_session
from choirbook.mcp.sessions.streams import HttpSession, SessionStreams
from choirbook.runtime.quotas import EVERYONE
from choirbook.workers.rpc import WorkerRpc

HEADER = "mcp-session-id"

TOUCH_S = 5.0
"""Interval in seconds at which sessions in use are recorded in the store; a tenth of the idle time if that
is less."""

MAX_ID_CHARACTERS = 64

_OWN_METHODS = frozenset({"resources/subscribe", "resources/unsubscribe"})

_PEER_KEY = secrets.token_bytes(16)
"""Key for the hashes of peers in the store, so that it holds no address. Workers inherit it by fork."""

_Found = TypeVar("_Found")


class _KnownSession:
    """A session that this worker has found in the store."""

    __slots__ = ("client_info", "is_used")

    def __init__(self, client_info: ClientInfo | None) -> None:
        self.client_info = client_info
        self.is_used = True


class HttpSessions:
    """One worker's view of the sessions.

    Args:
        library: Library whose resources clients subscribe to.
        streams: Open streams of this worker.
        dispatcher: Carries out calls.
        directory: Directory shared by all workers; None if there is one process only.
        rpc: Calls the other workers.
        max_sessions: Maximum number of sessions; 0 disables them.
        idle_s: Time after which an unused session ends, in seconds.
        on_count: Called when the number of sessions may have changed.
        peers: Map requests to peers.
        fraction: Fraction of all sessions that one peer may hold, see `choirbook.runtime.quotas`.
        knows_clients: Whether the name of a session's client is stored.
    """

    def __init__(
        self,
        library: Library,
        streams: OpenStreams,
        dispatcher: Dispatcher,
        directory: Path | None,
        rpc: WorkerRpc,
        max_sessions: int,
        idle_s: float,
        on_count: Callable[[], None],
        *,
        peers: Peers,
        fraction: float = 1.0,
        knows_clients: bool = False,
    ) -> None:
        self._peers = peers
        self._knows_clients = knows_clients
        self._streams = streams
        self._dispatcher = dispatcher
        self._max_sessions = max_sessions
        self._idle_s = idle_s
        self._registry = SessionRegistry(directory, rpc, max_sessions, on_count, fraction)
        self._session_streams = SessionStreams(
            library, streams, self._registry, lambda id_: self._forget([id_])
        )
        self._known: dict[str, _KnownSession] = {}
        self._maintenance: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """Number of sessions of all workers, at the last check."""
        return self._registry.count

    @property
    def refused(self) -> int:
        """Number of times that a peer wanted more sessions than its share."""
        return self._registry.refused

    @property
    def peers_at_limit(self) -> int:
        """Number of peers that had reached their share of sessions at the last check."""
        return self._registry.peers_at_limit

    def start(self) -> None:
        """Start to receive notes of other workers."""
        self._registry.start(lambda id_: self._forget([id_]), self._session_streams.on_subscriptions_changed)

    async def stop(self) -> None:
        """End all tasks and close the store."""
        if self._maintenance is not None:
            self._maintenance.cancel()
            self._maintenance = None
        self._session_streams.stop()
        await self._registry.stop()
        self._known.clear()

    def carry_out(self, call: Call, request: Request) -> Answer:
        """Answer a call, within its session if it names one; never raises."""
        id_ = request.headers.get(HEADER)
        if id_ is None:
            if call.method == "initialize" and self._may_begin(call, request.headers):
                return self._begin(call, request)
            return self._dispatcher.carry_out(call)
        known = self._known.get(id_)
        if known is None:
            return self._within(id_, call.id, lambda: self.carry_out(call, request))
        known.is_used = True
        if call.method in _OWN_METHODS:
            call = msgspec.structs.replace(call, session=HttpSession(self._session_streams, id_))
        return self._dispatcher.carry_out(call)

    def client_info(self, id_: str | None) -> ClientInfo | None:
        """Return the name of a known session's client; from memory only."""
        known = None if id_ is None else self._known.get(id_)
        return None if known is None else known.client_info

    def within(self, headers: Headers, proceed: Callable[[Session | None], Answer]) -> Answer:
        """Answer a request other than a call, within its session if it names one; never raises."""
        id_ = headers.get(HEADER)
        if id_ is None:
            return proceed(None)
        known = self._known.get(id_)
        if known is None:
            return self._within(id_, None, lambda: proceed(HttpSession(self._session_streams, id_)))
        known.is_used = True
        return proceed(HttpSession(self._session_streams, id_))

    def respond(self, request: Request) -> Answer:
        """Answer a request other than a POST; never raises."""
        headers = request.headers
        versions = headers.get_all("mcp-protocol-version")
        eras = {era_of(value.strip()) for value in versions}
        id_ = headers.get(HEADER)
        error: RequestError | None = None
        if Era.MODERN in eras or id_ is None or request.method not in {"GET", "DELETE"}:
            error = MethodNotAllowed(
                "This endpoint answers POST only, and GET and DELETE within a session.", {"allow": "POST"}
            )
        elif None in eras:
            error = InvalidRequest(
                "The header MCP-Protocol-Version names a revision that this server does not support."
            )
        elif request.method == "GET" and not _accepts_events(headers):
            error = NotAcceptable(f"The stream is sent as {sse.MEDIA_TYPE}. Include that type in Accept.")
        if error is not None:
            return failed(Fault(error, Era.MODERN if Era.MODERN in eras else Era.HANDSHAKE))
        assert id_ is not None, "a request without a session was refused"
        return self._answer_error(self._open(id_, request) if request.method == "GET" else self._end(id_))

    def _may_begin(self, call: Call, headers: Headers) -> bool:
        """Return whether a client can use a session: it has to read streams."""
        return bool(
            self._max_sessions
            and call.id is not None
            and call.params.protocol_version is not UNSET
            and _accepts_events(headers)
        )

    async def _begin(self, call: Call, request: Request) -> Response:
        peer = _named(self._peers.key_of(request))
        id_ = secrets.token_urlsafe(24)
        client_info = client_info_of(call.source) if self._knows_clients else None
        kept = None if client_info is None else msgspec.json.encode(client_info).decode()

        def begin(store: SessionStore) -> list[str]:
            ended = store.begin(id_, monotonic(), kept, peer)
            self._registry.announce_ended(ended)
            return ended

        try:
            evicted = await self._run(begin)
        except Overloaded:
            # The log has the reason. A client is better served without a session than not at all.
            return _ready(self._dispatcher.carry_out(call))
        self._forget(evicted)
        self._known[id_] = _KnownSession(client_info)
        session = HttpSession(self._session_streams, id_)
        response = _ready(self._dispatcher.carry_out(msgspec.structs.replace(call, session=session)))
        return msgspec.structs.replace(response, headers=[*response.headers, (HEADER, id_)])

    def _within(self, id_: str, call_id: bytes | None, proceed: Callable[[], Answer]) -> Answer:
        return then(
            self._admit(id_),
            lambda _: proceed(),
            lambda error: failed(Fault(error, Era.HANDSHAKE, call_id)),
        )

    async def _admit(self, id_: str) -> None:
        """Load a session into this worker's cache.

        Raises:
            SessionNotFound: There is none with this id.
        """
        if len(id_) > MAX_ID_CHARACTERS:
            raise no_session()
        ended, kept = await self._run(lambda store: (store.touch([id_], monotonic()), store.client(id_)))
        if ended:
            raise no_session()
        self._known[id_] = _KnownSession(None if kept is None else msgspec.json.decode(kept, type=ClientInfo))

    async def _answer_error(
        self, answering: Coroutine[Any, Any, Response | Streaming]
    ) -> Response | Streaming:
        try:
            return await answering
        except RequestError as error:
            return failed(Fault(error, Era.HANDSHAKE))

    async def _open(self, id_: str, request: Request) -> Streaming:
        peer = self._peers.key_of(request)
        self._streams.admit(peer=peer)
        await self._admit(id_)
        stream = await self._session_streams.open(id_, peer)
        return Streaming(200, [*sse.HEADERS, (HEADER, id_)], stream)

    async def _end(self, id_: str) -> Response:
        def end(store: SessionStore) -> bool:
            was_there = store.end(id_)
            self._registry.announce_ended([id_] if was_there else [])
            return was_there

        if len(id_) > MAX_ID_CHARACTERS or not await self._run(end):
            raise no_session()
        self._forget([id_])
        return Response(204, [])

    def _forget(self, ids: Iterable[str]) -> None:
        for id_ in ids:
            self._known.pop(id_, None)
            self._session_streams.end(id_)

    async def _maintain(self) -> None:
        pause_s = min(TOUCH_S, self._idle_s / 10)
        while True:
            await asyncio.sleep(pause_s)
            self._known = {id_: known for id_, known in self._known.items() if known.is_used}
            for known in self._known.values():
                known.is_used = False
            in_use = [*self._known, *self._session_streams.ids]
            try:
                self._forget(await self._run(partial(self._touch_and_expire, in_use)))
            except Overloaded:
                continue  # the log has the reason

    def _touch_and_expire(self, in_use: list[str], store: SessionStore) -> list[str]:
        """Record in the store which sessions are in use; return those that have ended."""
        now_s = monotonic()
        ended = store.touch(in_use, now_s)
        expired = store.expire(now_s - self._idle_s)
        self._registry.announce_ended(expired)
        self._registry.peers_at_limit = store.peers_at_limit()
        return ended + expired

    async def _run(self, use: Callable[[SessionStore], _Found]) -> _Found:
        """Use the store; see `SessionRegistry.run`."""
        found = await self._registry.run(use)
        if self._maintenance is None:
            self._maintenance = asyncio.create_task(self._maintain(), name="choirbook-sessions")
        return found


def _named(peer: str) -> str:
    """Return the name of a peer in the store."""
    if peer == EVERYONE:
        return EVERYONE
    return hashlib.blake2b(peer.encode(), digest_size=16, key=_PEER_KEY).hexdigest()


def _accepts_events(headers: Headers) -> bool:
    accept = ", ".join(headers.get_all("accept")).lower()
    return sse.MEDIA_TYPE in accept or "text/*" in accept


def _ready(answer: Answer) -> Response:
    assert isinstance(answer, Response), "initialize waits for nothing"
    return answer
