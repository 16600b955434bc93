"""Timeout of request bodies: waiting for one that takes too long is cancelled.

One sweep per second checks all bodies under way. A timer for each request would make every POST more
expensive; being a second or two late with a timeout of thirty is harmless. The peer of a body, and whether it
has too many under way, is determined only for those that a sweep finds: nearly all bodies arrive between two
sweeps.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import NamedTuple, Protocol

from choirbook.errors import BodyTimeout, BodyTooLarge, QuotaExceeded, RequestError
from choirbook.http.exchange import Connection, Headers, Request
from choirbook.http.peers import Peers
from choirbook.runtime.quotas import Quota

SWEEP_S = 1.0


def refuse_long_body(content_length: str, max_body_bytes: int) -> None:
    """Reject a body by its announced length, before any of it is read.

    Raises:
        BodyTooLarge: It is over the limit.
    """
    # By its digits first: parsing a number of a million digits would take a while.
    if len(content_length) > len(str(max_body_bytes)) or int(content_length) > max_body_bytes:
        raise too_long(max_body_bytes)


def too_long(max_body_bytes: int) -> BodyTooLarge:
    """Create the error for a body over the limit."""
    return BodyTooLarge(f"The body is longer than {max_body_bytes} bytes.")


class BodyWaiter(Protocol):
    """Awaitable of a request's body: a future, a task, or Granian's own awaitable."""

    def cancel(self) -> bool:
        """Raise CancelledError in whatever awaits it."""


class Upload(Connection, Protocol):
    """Request whose body is under way; also represents its connection."""

    @property
    def headers(self) -> Headers:
        """Headers of the request."""


class UploadQuota:
    """Limits the bodies of one peer that are under way.

    Args:
        peers: Map requests to peers.
        quota: Limit per peer.
    """

    def __init__(self, peers: Peers, quota: Quota) -> None:
        self._peers = peers
        self._quota = quota

    def take(self, upload: Upload) -> str | None:
        """Return the peer of a body, now counted; None if it has too many under way."""
        peer = self._peers.key_of(Request("POST", "", "", upload.headers, b"", upload))
        return peer if self._quota.take(peer) else None

    def release(self, peer: str) -> None:
        """Undo a `take`."""
        self._quota.release(peer)

    def refusal(self) -> QuotaExceeded:
        """Create the error for a body over its peer's share."""
        return QuotaExceeded(
            f"{self._quota.most} requests from your address have not sent their bodies yet, which is its "
            "limit. Send bodies without pauses."
        )


class _Slow(NamedTuple):
    """A body that did not arrive between two sweeps."""

    since_s: float
    """Time of the first sweep that saw it."""
    peer: str


class Uploads:
    """Bodies under way.

    Args:
        timeout_s: Maximum time for a body, in seconds, from the first sweep that sees it.
        quotas: Limits per peer.
    """

    def __init__(self, timeout_s: float, quotas: UploadQuota) -> None:
        self._timeout_s = timeout_s
        self._quotas = quotas
        self._young: dict[BodyWaiter, Upload] = {}
        self._slow: dict[BodyWaiter, _Slow] = {}
        self._cancelled: dict[BodyWaiter, RequestError] = {}
        self._sweeping: asyncio.TimerHandle | None = None

    def begin(self, waiter: BodyWaiter, upload: Upload) -> None:
        """Record that a body is awaited.

        Args:
            waiter: Cancelled when it takes too long.
            upload: Request of the body; examined only when it takes long.
        """
        self._young[waiter] = upload
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def end(self, waiter: BodyWaiter) -> None:
        """Record that the body has arrived, or was cancelled."""
        if self._young.pop(waiter, None) is None:
            slow = self._slow.pop(waiter, None)
            if slow is not None:
                self._quotas.release(slow.peer)

    def cancellation_reason(self, waiter: BodyWaiter) -> RequestError | None:
        """Return why a sweep cancelled the waiter, if it did, and forget it."""
        return self._cancelled.pop(waiter, None)

    def _sweep(self) -> None:
        self._sweeping = None
        now_s = monotonic()
        for waiter, slow in list(self._slow.items()):
            if slow.since_s < now_s - self._timeout_s:
                self.end(waiter)
                self._cancel(waiter, BodyTimeout("The body did not arrive in time. Send it without pauses."))
        young, self._young = self._young, {}
        for waiter, upload in young.items():
            peer = self._quotas.take(upload)
            if peer is None:
                self._cancel(waiter, self._quotas.refusal())
            else:
                self._slow[waiter] = _Slow(now_s, peer)
        if self._slow:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def _cancel(self, waiter: BodyWaiter, why: RequestError) -> None:
        self._cancelled[waiter] = why
        waiter.cancel()
