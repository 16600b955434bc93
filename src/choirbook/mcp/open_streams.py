"""Open streams of one worker: delivery of changes, and keep-alives.

Everything here runs on the event loop and waits for no client.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable

from choirbook.catalog.catalog import Catalog
from choirbook.errors import Era, Overloaded, QuotaExceeded
from choirbook.mcp.client_stream import BATCH, LISTING, ClientStream, EndReason
from choirbook.model import Change
from choirbook.runtime.quotas import EVERYONE, QuotaKind, Quotas

SLICE = 64
"""Number of streams to notify before other tasks run: about a millisecond of work."""

PAUSE_S = 0.001
"""Pause for other tasks, in seconds. Without it they would get the loop, but no processor time to use it."""

MAX_WATCHED = 500_000
"""Maximum number of URIs watched by all streams of a worker together, which limits their memory to some 100
MB."""

MAX_WATCHED_BYTES = 128 * 1024 * 1024
"""Maximum length of those URIs: a section may be named in 2 KiB, whether its document has it or not."""


class OpenStreams:
    """All open streams of a worker.

    Args:
        catalog: Catalog whose changes are delivered.
        max_streams: Maximum number of open streams.
        keep_alive_s: Maximum time for which a stream is silent, in seconds.
        on_count: Called when a stream was opened or has ended.
        head_start_s: Delay of notifications, in seconds: a notified client reads at once, and may reach
            another worker, which must have seen the change by then.
        quotas: Limits per peer; without them every peer may hold everything.
    """

    def __init__(
        self,
        catalog: Catalog,
        max_streams: int,
        keep_alive_s: float,
        on_count: Callable[[], None],
        head_start_s: float = 0.0,
        quotas: Quotas | None = None,
    ) -> None:
        quotas = Quotas() if quotas is None else quotas
        self._stream_quota = quotas[QuotaKind.STREAMS]
        self._subscription_quota = quotas[QuotaKind.SUBSCRIPTIONS]
        self._max_streams = max_streams
        self._keep_alive_s = keep_alive_s
        self._on_count = on_count
        self._head_start_s = head_start_s
        self._open: OrderedDict[ClientStream, None] = OrderedDict()
        self._by_uri: dict[str, set[ClientStream]] = {}
        self.watched = 0
        """Number of watched URIs, each counted for each stream."""
        self.watched_bytes = 0
        """Total length of the URIs that streams were opened with, in bytes."""
        self._changes: deque[tuple[float, Change]] = deque()
        self._notifying: asyncio.Task[None] | None = None
        self._keep_alive_task: asyncio.Task[None] | None = None
        self._is_closed = False
        self.open_by_era: Counter[Era] = Counter()
        self.sent = 0
        """Number of notifications sent since the start."""
        self.ended: Counter[EndReason] = Counter()
        """Number of streams that ended since the start, by reason."""
        catalog.listen(self._on_change)

    def __len__(self) -> int:
        """Return the number of open streams."""
        return len(self._open)

    @property
    def is_idle(self) -> bool:
        """Whether every change so far was delivered, or is kept for a slow client."""
        return self._notifying is None

    def admit(self, watched: int = 0, watched_bytes: int = 0, peer: str = EVERYONE) -> None:
        """Check that one more stream may be opened; check again after each wait, as others come meanwhile.

        Args:
            watched: Number of URIs that it watches.
            watched_bytes: Total length of those URIs.
            peer: Peer that opens it.

        Raises:
            Overloaded: The worker has reached its limit.
            QuotaExceeded: The peer has reached its quota.
        """
        if self._is_closed:
            raise Overloaded("The server is stopping. Try again in a few seconds.")
        if (
            len(self._open) >= self._max_streams
            or self.watched + watched > MAX_WATCHED
            or self.watched_bytes + watched_bytes > MAX_WATCHED_BYTES
        ):
            raise Overloaded("The server has reached its limit of open streams. Try again later.")
        if not self._stream_quota.has_room(peer):
            raise QuotaExceeded(
                f"Your address has {self._stream_quota.most} streams open, which is its limit. Close one."
            )
        if not self._subscription_quota.has_room(peer, watched_bytes):
            raise QuotaExceeded(
                "The streams of your address have reached its limit of watched URIs. Close one, or listen "
                "to resourcesListChanged."
            )

    def add(self, stream: ClientStream) -> None:
        """Add a stream that was opened."""
        stream.sent_s = asyncio.get_running_loop().time()
        self._open[stream] = None
        self.open_by_era[stream.era] += 1
        self._stream_quota.occupy(stream.peer)
        self._subscription_quota.occupy(stream.peer, stream.uri_bytes)
        self.watched_bytes += stream.uri_bytes
        for key in stream.watched:
            self.index(stream, key)
        if self._keep_alive_task is None:
            self._keep_alive_task = asyncio.create_task(self._send_keep_alives(), name="choirbook-keep-alive")
        self._on_count()

    def discard(self, stream: ClientStream) -> None:
        """Remove a stream that has ended."""
        assert stream.ended is not None, "only a stream that has ended is let go"
        del self._open[stream]
        self.open_by_era[stream.era] -= 1
        self._stream_quota.release(stream.peer)
        self._subscription_quota.release(stream.peer, stream.uri_bytes)
        self.watched_bytes -= stream.uri_bytes
        self.ended[stream.ended] += 1
        for key in stream.watched:
            self.unindex(stream, key)
        self._on_count()

    def index(self, stream: ClientStream, key: str) -> None:
        """Record that a stream watches a URI of the catalog."""
        watchers = self._by_uri.setdefault(key, set())
        if stream not in watchers:
            watchers.add(stream)
            self.watched += 1

    def unindex(self, stream: ClientStream, key: str) -> None:
        """Undo an `index`."""
        watchers = self._by_uri.get(key)
        if watchers is not None and stream in watchers:
            watchers.discard(stream)
            self.watched -= 1
            if not watchers:
                del self._by_uri[key]

    def note_sent(self, stream: ClientStream, count: int) -> None:
        """Record that notifications are sent over a stream."""
        self.sent += count
        self._postpone(stream)

    def watching(self, uri: str) -> int:
        """Return how many streams watch a URI."""
        return len(self._by_uri.get(uri, ()))

    def start(self) -> None:
        """Allow streams to be opened, also after a `close`."""
        self._is_closed = False

    def close(self) -> None:
        """End all streams normally, and open no further ones."""
        self._is_closed = True
        for stream in list(self._open):
            stream.end(EndReason.SHUTDOWN)
        for task in (self._notifying, self._keep_alive_task):
            if task is not None:
                task.cancel()

    def _postpone(self, stream: ClientStream) -> None:
        stream.sent_s = asyncio.get_running_loop().time()
        self._open.move_to_end(stream)

    def _on_change(self, change: Change) -> None:
        if not self._open:
            return
        self._changes.append((asyncio.get_running_loop().time() + self._head_start_s, change))
        if self._notifying is None:
            self._notifying = asyncio.create_task(self._notify_all(), name="choirbook-notify")

    async def _notify_all(self) -> None:
        try:
            while self._changes:
                due_s, change = self._changes.popleft()
                await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))
                await self._notify(change)
        finally:
            self._notifying = None

    async def _notify(self, change: Change) -> None:
        concerned: dict[ClientStream, None] = {}
        pairs = 0
        for key in _keys(change):
            for stream in self._watchers(key):
                stream.note(key)
                concerned[stream] = None
                pairs += 1
                if pairs % (SLICE * BATCH) == 0:
                    await asyncio.sleep(PAUSE_S)
        for count, stream in enumerate(concerned, start=1):
            stream.flush()
            if count % SLICE == 0:
                await asyncio.sleep(PAUSE_S)

    def _watchers(self, key: str) -> Iterable[ClientStream]:
        """Return the streams to notify, as a copy: streams come and go meanwhile."""
        if key == LISTING:
            return [stream for stream in self._open if stream.wants_list]
        return list(self._by_uri.get(key, ()))

    async def _send_keep_alives(self) -> None:
        loop = asyncio.get_running_loop()
        count = 0
        try:
            # The stream that was silent longest comes first.
            while (stream := next(iter(self._open), None)) is not None:
                pause_s = stream.sent_s + self._keep_alive_s - loop.time()
                if pause_s > 0:
                    await asyncio.sleep(pause_s)
                    continue
                self._postpone(stream)
                stream.keep_alive()
                count += 1
                if count % SLICE == 0:
                    await asyncio.sleep(PAUSE_S)
        finally:
            self._keep_alive_task = None


def _keys(change: Change) -> list[str]:
    """Return the keys of a change; the listing last, as it matters least to a reader."""
    listing = [LISTING] if change.added or change.removed else []
    return [*change.updated, *change.added, *change.removed, *listing]
