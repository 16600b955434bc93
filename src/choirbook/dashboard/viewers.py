"""Open pages: each is a stream, and all are sent the same messages."""

from __future__ import annotations

from collections.abc import Callable

from choirbook.errors import Overloaded
from choirbook.http.exchange import LossReason, Outlet

MAX_VIEWERS = 32
"""Maximum number of open pages of one worker: viewers are few, and a page left open costs something each
second."""


class Viewer:
    """One open page.

    Args:
        viewers: Registry that holds it while it is open.
    """

    def __init__(self, viewers: Viewers) -> None:
        self._viewers = viewers
        self._outlet: Outlet | None = None
        self._is_blocked = False

    def open(self, outlet: Outlet) -> None:
        """See `choirbook.http.exchange.Stream`."""
        self._outlet = outlet
        if not self._viewers.add(self):
            self.end()

    def resume(self) -> None:
        """See `choirbook.http.exchange.Stream`. The next message makes up for those that it missed."""
        self._is_blocked = False

    def lost(self, _: LossReason) -> None:
        """See `choirbook.http.exchange.Stream`."""
        self._outlet = None
        self._viewers.discard(self)

    def send(self, message: bytes) -> None:
        """Send a message, unless the page has not read the last one yet."""
        if self._outlet is not None and not self._is_blocked:
            self._is_blocked = not self._outlet.send([message])

    def end(self) -> None:
        """End the stream; the page will reconnect."""
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            outlet.end()


class Viewers:
    """All open pages of a worker.

    Args:
        on_arrival: Called with each page that was opened.
    """

    def __init__(self, on_arrival: Callable[[Viewer], None]) -> None:
        self._on_arrival = on_arrival
        self._open: dict[Viewer, None] = {}
        self._is_closed = False

    def __len__(self) -> int:
        """Return the number of open pages."""
        return len(self._open)

    def admit(self) -> Viewer:
        """Return the stream of one more page.

        Raises:
            Overloaded: The limit of open pages is reached.
        """
        if self._is_closed or len(self._open) >= MAX_VIEWERS:
            raise Overloaded(
                "The server has reached its limit of open dashboards. Close one, or try again later."
            )
        return Viewer(self)

    def add(self, viewer: Viewer) -> bool:
        """Register a page whose stream begins; return whether it is allowed."""
        if self._is_closed or len(self._open) >= MAX_VIEWERS:
            return False
        self._open[viewer] = None
        self._on_arrival(viewer)
        return True

    def discard(self, viewer: Viewer) -> None:
        """Unregister a page."""
        self._open.pop(viewer, None)

    def broadcast(self, message: bytes) -> None:
        """Send one message to all pages."""
        for viewer in list(self._open):
            viewer.send(message)

    def start(self) -> None:
        """Allow pages to be opened, also after a `close`."""
        self._is_closed = False

    def close(self) -> None:
        """End all streams, and open no further ones."""
        self._is_closed = True
        for viewer in list(self._open):
            viewer.end()
        self._open.clear()
