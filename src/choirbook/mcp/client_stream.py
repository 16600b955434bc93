"""One client's open stream: pending and sent notifications, and its end.

A stream waits for no client and has no task of its own: five thousand of them are five thousand objects. What
a client cannot receive yet is kept as the set of URIs that changed, so a slow reader costs no more memory
than its subscription, and is notified once of ten changes to the same document.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from itertools import islice
from typing import Protocol

from choirbook.errors import Era
from choirbook.http.exchange import LossReason, Outlet
from choirbook.mcp.notification_messages import list_changed, updated
from choirbook.runtime.quotas import EVERYONE

BATCH = 64
"""Number of notifications sent at once to one client; after each batch, the client must keep up."""

LISTING = ""
"""Key of the listing among the changed URIs; no URI is empty."""


class EndReason(StrEnum):
    """Reason why a stream ended: a closed set, as it labels a metric."""

    CLIENT = "client"
    """The client hung up or cancelled its request."""
    SLOW = "slow"
    """The client did not read what was sent."""
    SESSION = "session"
    """The stream's session ended."""
    SHUTDOWN = "shutdown"
    """The server is shutting down."""


class StreamRegistry(Protocol):
    """Registry of open streams; see `choirbook.mcp.open_streams.OpenStreams`."""

    def add(self, stream: ClientStream) -> None:
        """Add a stream that was opened."""

    def discard(self, stream: ClientStream) -> None:
        """Remove a stream that has ended."""

    def index(self, stream: ClientStream, key: str) -> None:
        """Record that a stream watches a URI of the catalog."""

    def unindex(self, stream: ClientStream, key: str) -> None:
        """Undo an `index`."""

    def note_sent(self, stream: ClientStream, count: int) -> None:
        """Record that notifications are sent over a stream."""


class ClientStream:
    """One client's stream.

    Args:
        registry: Holds the stream while it is open.
        era: See `Era`.
        id_: The subscription's id as raw JSON; None in the handshake era.
        wants_list: Whether it is notified when resources are added or removed.
        opening: Messages sent first.
        closing: Messages sent last, if the server ends the stream.
        peer: Peer whose quota it counts towards, see `choirbook.runtime.quotas`.
        uri_bytes: Bytes of the URIs that it is opened with, as far as they count towards that quota.
    """

    __slots__ = (
        "_changed",
        "_closing",
        "_is_blocked",
        "_opening",
        "_outlet",
        "_registry",
        "ended",
        "era",
        "id",
        "on_end",
        "peer",
        "sent_s",
        "uri_bytes",
        "wants_list",
        "watched",
    )

    def __init__(
        self,
        registry: StreamRegistry,
        era: Era,
        id_: bytes | None,
        *,
        wants_list: bool,
        opening: tuple[bytes, ...] = (),
        closing: tuple[bytes, ...] = (),
        peer: str = EVERYONE,
        uri_bytes: int = 0,
    ) -> None:
        self._registry = registry
        self._outlet: Outlet | None = None
        self._opening = opening
        self._closing = closing
        self._is_blocked = False
        self._changed: dict[str, None] | None = None
        self.era = era
        self.id = id_
        self.wants_list = wants_list
        self.peer = peer
        self.uri_bytes = uri_bytes
        self.watched: dict[str, tuple[str, ...]] = {}
        """Catalog's URI -> the client's spellings of it."""
        self.sent_s = 0.0
        """Time of the last message, by the loop's clock."""
        self.ended: EndReason | None = None
        self.on_end: Callable[[], None] | None = None
        """Called once, when the stream has ended, whether it was ever open or not."""

    def watch(self, key: str, spelling: str) -> None:
        """Watch a resource for changes.

        Args:
            key: The URI under which the catalog knows it.
            spelling: The URI that the client uses for it.
        """
        spellings = self.watched.get(key, ())
        if spelling not in spellings:
            self.watched[key] = (*spellings, spelling)
            if self._outlet is not None:
                self._registry.index(self, key)

    def unwatch(self, spelling: str) -> None:
        """Undo a `watch`."""
        for key, spellings in list(self.watched.items()):
            if spelling in spellings:
                rest = tuple(other for other in spellings if other != spelling)
                if rest:
                    self.watched[key] = rest
                else:
                    del self.watched[key]
                    self._registry.unindex(self, key)
        if self._changed is not None:
            self._changed.pop(spelling, None)

    def open(self, outlet: Outlet) -> None:
        """See `choirbook.http.exchange.Stream`."""
        if self.ended is not None:
            outlet.end()
            return
        self._outlet = outlet
        self._registry.add(self)
        opening, self._opening = self._opening, ()
        if opening:
            self._is_blocked = not outlet.send(opening)
        else:
            # The client sees the stream begin, not just the head of the response.
            outlet.keep_alive()

    def resume(self) -> None:
        """See `choirbook.http.exchange.Stream`."""
        self._is_blocked = False
        self.flush()

    def lost(self, loss: LossReason) -> None:
        """See `choirbook.http.exchange.Stream`."""
        self._finish(EndReason.SLOW if loss is LossReason.SLOW else EndReason.CLIENT)

    def end(self, why: EndReason) -> None:
        """End the stream on the server's initiative."""
        outlet = self._outlet
        self._finish(why)
        if outlet is not None:
            if self._closing:
                outlet.send(self._closing)
            outlet.end()

    def note(self, key: str) -> None:
        """Record that a resource changed, or with an empty key the listing."""
        if self._changed is None:
            self._changed = {}
        for spelling in self.watched.get(key, ()) if key else (LISTING,):
            self._changed[spelling] = None

    def flush(self) -> None:
        """Send pending notifications, as far as the client keeps up."""
        outlet = self._outlet
        while self._changed and not self._is_blocked and outlet is not None:
            uris = list(islice(self._changed, BATCH))
            for uri in uris:
                del self._changed[uri]
            messages = [updated(uri, self.id) if uri else list_changed(self.id) for uri in uris]
            self._registry.note_sent(self, len(messages))
            self._is_blocked = not outlet.send(messages)
        if not self._changed:
            self._changed = None

    def keep_alive(self) -> None:
        """Show that the stream is alive, unless the client does not read."""
        if self._outlet is not None and not self._is_blocked:
            self._outlet.keep_alive()

    def _finish(self, why: EndReason) -> None:
        if self.ended is not None:
            return
        self.ended = why
        was_open, self._outlet = self._outlet is not None, None
        self._changed = None
        if was_open:
            self._registry.discard(self)
        if self.on_end is not None:
            self.on_end()
