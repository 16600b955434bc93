"""What is noted of a response on the hot path: all that observers look at, and not its body.

A batch waits for up to 50 ms. Were the responses themselves to wait, so would their bodies, which for MCP are
a copy each: megabytes that no cache of the processor holds, each time new memory to be written and read.
"""

from __future__ import annotations

import msgspec

from carrel.http.exchange import Mark, Operation, Read, Request


class Sent(msgspec.Struct, frozen=True, gc=False):
    """A response that was sent. Times are of the monotonic clock, in seconds."""

    status: int
    body_bytes: int
    reads: tuple[Read, ...]
    operations: tuple[Operation, ...]
    stated: Request | bytes | None
    """See `Response`; so are those before."""
    mark: Mark | None
    start_s: float
    """When the request was whole."""
    end_s: float
    """When the response was handed over."""
