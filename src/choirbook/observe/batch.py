"""Responses that were sent within a moment, by kind: noted one by one, worked up together.

Of a response its numbers are noted, and not its body: a batch waits for up to 50 ms, and bodies, which for
MCP are a copy each, would be megabytes that no cache of the processor holds, each time new memory to be
written and read.

Hits of one form are one object, and so are the operations of a method that went well. So most responses of a
batch are of few kinds, and what is said of a kind is found out once.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import msgspec

from choirbook.http.exchange import Asked, Mark, Operation, Read, Request, Response, Revalidation
from choirbook.model import Reading, ServedFrom

MAX_ASKED_BYTES = 16 * 1024
"""A longer body is not kept with its request; who sent it goes by its headers."""

FROM_A_CACHE = frozenset({ServedFrom.HIT, ServedFrom.SHARED})
"""Answered from there, a read counts as a hit."""


class Sent(msgspec.Struct, frozen=True, gc=False):
    """A response of a batch, by itself. Times are of the monotonic clock, in seconds."""

    status: int
    body_bytes: int
    reads: tuple[Read, ...]
    operations: tuple[Operation, ...]
    mark: Mark | None
    """See `Response`; so are those before."""
    start_s: float
    """When the request was whole."""
    end_s: float
    """When the response was handed over."""


class ResponseKind:
    """Responses of a batch that differ in nothing but their numbers."""

    __slots__ = ("behind", "between", "latencies_s", "operations", "reads", "status")

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.reads: tuple[Read, ...] = response.reads
        self.operations: tuple[Operation, ...] = response.operations
        self.latencies_s: list[float] = []
        """How long each of them took; whoever needs them in another order may sort them."""
        self.between = self.behind = b""
        """What the access log has between the numbers of a line, and from there to the next line."""


class ResponseBatch:
    """Responses in the order in which they were sent: a column for each thing that is noted."""

    __slots__ = ("asked", "ends_s", "kind_of_each", "kinds", "latencies_s", "marks", "sizes")

    def __init__(self) -> None:
        self.kinds: list[ResponseKind] = []
        """All there are, in the order of their first."""
        self.kind_of_each: list[ResponseKind] = []
        self.latencies_s: list[float] = []
        """From when the request was whole to when the response was handed over."""
        self.ends_s: list[float] = []
        """When it was handed over, of the monotonic clock."""
        self.sizes: list[int] = []
        """Of the bodies, in bytes."""
        self.marks: dict[int, Mark] = {}
        """Of responses that are to be traced, by their place in the batch."""
        self.asked: dict[int, Request | bytes] = {}
        """What was answered by a response that read something, where it is kept; likewise."""

    def __len__(self) -> int:
        return len(self.ends_s)

    def sent(self, place: int) -> Sent:
        """Return one response, for those who look at few of them."""
        kind, end_s = self.kind_of_each[place], self.ends_s[place]
        mark, start_s = self.marks.get(place), end_s - self.latencies_s[place]
        return Sent(kind.status, self.sizes[place], kind.reads, kind.operations, mark, start_s, end_s)


class Notes:
    """Where responses are noted, until somebody takes them.

    Args:
        on_first: Called when there is something to be taken.
        on_full: Called when there is so much that it is to be taken now.
        size: How many responses that is.
        clock: Tells what time it is; it is the one that starts of requests are told by.
        keeps_asked: Whether requests that read something are kept with their responses.
    """

    def __init__(
        self,
        on_first: Callable[[], None],
        on_full: Callable[[], None],
        size: int,
        clock: Callable[[], float] = monotonic,
        *,
        keeps_asked: bool = False,
    ) -> None:
        self._on_first = on_first
        self._on_full = on_full
        self._size = size
        self._clock = clock
        self._keeps_asked = keeps_asked
        self._batch = ResponseBatch()
        self._known: dict[object, ResponseKind] = {}

    def note(self, response: Response, start_s: float, asked: Asked = None) -> None:
        """Take note of a response that was just sent. This is what every read pays for, so it is one call.

        Args:
            response: What was sent.
            start_s: What the clock said when the request was there as a whole.
            asked: What it answers.
        """
        end_s = self._clock()
        latency_s = end_s - start_s
        batch = self._batch
        reads = response.reads
        operations = response.operations
        # A read is one with itself only, so this looks at no more than its address.
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
        if self._keeps_asked and reads and asked is not None:
            batch.asked[count - 1] = _short(asked)
        if count == 1:
            self._on_first()
        elif count >= self._size:
            self._on_full()

    def take(self) -> ResponseBatch:
        """Return what was noted, and begin anew."""
        batch, self._batch, self._known = self._batch, ResponseBatch(), {}
        return batch

    def _begin(self, key: object, response: Response) -> ResponseKind:
        kind = self._known[key] = ResponseKind(response)
        self._batch.kinds.append(kind)
        return kind


def _short(asked: Request | bytes) -> Request | bytes:
    if isinstance(asked, bytes) or len(asked.body) <= MAX_ASKED_BYTES:
        return asked
    return msgspec.structs.replace(asked, body=b"")


def served_from(read: Reading | Revalidation) -> ServedFrom:
    """Return where a read was answered from; what the client has already counts as a hit."""
    return read.served_from if isinstance(read, Reading) else ServedFrom.HIT
