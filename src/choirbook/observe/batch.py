"""Responses sent within a short time, grouped by kind: recorded individually, processed together.

Only numbers of a response are recorded, not its body: a batch waits for up to 50 ms, and bodies, which for
MCP are a copy each, would take megabytes that exceed the processor's caches, in newly allocated memory each
time.

Hits of one form are the same object, and so are the operations of a successful method. So most responses of a
batch are of few kinds, and the properties of a kind are determined once.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import msgspec

from choirbook.http.exchange import Mark, Operation, Read, Request, RequestSource, Response, Revalidation
from choirbook.model import Reading, ServedFrom

MAX_KEPT_BODY_BYTES = 16 * 1024
"""A longer body is not kept with its request; its client is identified by the headers."""

FROM_A_CACHE = frozenset({ServedFrom.HIT, ServedFrom.SHARED})
"""A read answered from one of these counts as a hit."""


class Sent(msgspec.Struct, frozen=True, gc=False):
    """One response of a batch. Times are of the monotonic clock, in seconds."""

    status: int
    body_bytes: int
    reads: tuple[Read, ...]
    operations: tuple[Operation, ...]
    mark: Mark | None
    """See `Response`, like the previous fields."""
    start_s: float
    """Time at which the request was complete."""
    end_s: float
    """Time at which the response was passed to the server."""


class ResponseKind:
    """Responses of a batch that differ only in their numbers."""

    __slots__ = ("behind", "between", "latencies_s", "operations", "reads", "status")

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.reads: tuple[Read, ...] = response.reads
        self.operations: tuple[Operation, ...] = response.operations
        self.latencies_s: list[float] = []
        """Latencies of the responses; users may sort them in place."""
        self.between = self.behind = b""
        """Text of the access log between the numbers of a line, and from there to the next line."""


class ResponseBatch:
    """Responses in the order in which they were sent, as one column per value."""

    __slots__ = ("ends_s", "kind_of_each", "kinds", "latencies_s", "marks", "requests", "sizes")

    def __init__(self) -> None:
        self.kinds: list[ResponseKind] = []
        """All kinds, in the order of first occurrence."""
        self.kind_of_each: list[ResponseKind] = []
        self.latencies_s: list[float] = []
        """Times from the complete request to the passing of the response, in seconds."""
        self.ends_s: list[float] = []
        """Times at which responses were passed to the server, of the monotonic clock."""
        self.sizes: list[int] = []
        """Sizes of the bodies, in bytes."""
        self.marks: dict[int, Mark] = {}
        """Marks of responses to be traced, by position in the batch."""
        self.requests: dict[int, Request | bytes] = {}
        """Requests of responses that read something, if kept; by position in the batch."""

    def __len__(self) -> int:
        return len(self.ends_s)

    def sent(self, place: int) -> Sent:
        """Return one response, for users that need only a few of them."""
        kind, end_s = self.kind_of_each[place], self.ends_s[place]
        mark, start_s = self.marks.get(place), end_s - self.latencies_s[place]
        return Sent(kind.status, self.sizes[place], kind.reads, kind.operations, mark, start_s, end_s)


class ResponseBuffer:
    """Collects responses until a batch is taken.

    Args:
        on_first: Called after the first response of a batch.
        on_full: Called when the batch is full, and must be taken now.
        size: Number of responses of a full batch.
        clock: Returns the time, by the same clock as the start of requests.
        keeps_requests: Whether requests of reads are kept with their responses.
    """

    def __init__(
        self,
        on_first: Callable[[], None],
        on_full: Callable[[], None],
        size: int,
        clock: Callable[[], float] = monotonic,
        *,
        keeps_requests: bool = False,
    ) -> None:
        self._on_first = on_first
        self._on_full = on_full
        self._size = size
        self._clock = clock
        self._keeps_requests = keeps_requests
        self._batch = ResponseBatch()
        self._known: dict[object, ResponseKind] = {}

    def add(self, response: Response, start_s: float, request: RequestSource = None) -> None:
        """Add a response that was just sent. Every read pays for this, so it is one call.

        Args:
            response: Response that was sent.
            start_s: Time by the clock at which the request was complete.
            request: Request or message that it answers.
        """
        end_s = self._clock()
        latency_s = end_s - start_s
        batch = self._batch
        reads = response.reads
        operations = response.operations
        # A read equals only itself, so this compares addresses only.
        key = reads[0] if reads else operations
        try:
            kind = self._known[key]
        except KeyError:
            kind = self._begin(key, response)
        if kind.operations is not operations or kind.status != response.status:
            kind = self._begin(key, response)
        kind.latencies_s.append(latency_s)
        batch.kind_of_each.append(kind)
        batch.latencies_s.append(latency_s)
        batch.ends_s.append(end_s)
        batch.sizes.append(len(response.body))
        count = len(batch.sizes)
        if response.mark is not None:
            batch.marks[count - 1] = response.mark
        if self._keeps_requests and reads and request is not None:
            batch.requests[count - 1] = _short(request)
        if count == 1:
            self._on_first()
        elif count >= self._size:
            self._on_full()

    def take(self) -> ResponseBatch:
        """Return the recorded responses, and start a new batch."""
        batch, self._batch, self._known = self._batch, ResponseBatch(), {}
        return batch

    def _begin(self, key: object, response: Response) -> ResponseKind:
        kind = self._known[key] = ResponseKind(response)
        self._batch.kinds.append(kind)
        return kind


def _short(request: Request | bytes) -> Request | bytes:
    if isinstance(request, bytes) or len(request.body) <= MAX_KEPT_BODY_BYTES:
        return request
    return msgspec.structs.replace(request, body=b"")


def served_from(read: Reading | Revalidation) -> ServedFrom:
    """Return the origin of a read; 304 responses count as hits."""
    return read.served_from if isinstance(read, Reading) else ServedFrom.HIT
