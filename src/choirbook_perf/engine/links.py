"""Ways to a server, as the engine's clients see them: HTTP connections and server processes alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from choirbook_perf.engine.responses import Head


class Ended(NamedTuple):
    """How a request ended. Times are of `time.monotonic`."""

    sent_s: float
    """When it was handed to the kernel; 0 if there was no connection."""
    first_s: float
    """When the first byte of the response arrived; 0 if none did."""
    done_s: float
    failure: str
    """Why there is no complete response, "" if there is one."""
    head: Head | None
    body: bytes


OnEnd = Callable[[Ended], None]


class Link(Protocol):
    """A place for one request at a time."""

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent."""
        ...

    @property
    def was_refused(self) -> bool:
        """Whether the server could not be reached."""
        ...

    def request(self, request: bytes, on_end: OnEnd) -> None:
        """Send a request; `on_end` is called once."""
        ...

    def give_up(self, failure: str) -> None:
        """End the request under way, if there is one, as failed."""
        ...


class Pool(Protocol):
    """Links of one client or of many."""

    def take(self) -> Link:
        """Return a link without a request."""
        ...

    def put(self, link: Link, /) -> None:
        """Return a link whose request has ended."""
        ...


class Counters:
    """Connections, or processes, of a load."""

    def __init__(self) -> None:
        self.opened = 0
        """Those that were established."""
        self.own_faults: set[str] = set()
        """Errors of this machine, for which the server is not to blame."""
