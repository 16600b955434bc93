"""What a batch of responses comes to: one look at each response, for all who count.

Hits of one form are one object, and so are the operations of a method that went well. So most responses of a
batch are of few kinds, and what is said of a kind is found out once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from carrel.http.exchange import Operation, Read, Revalidation
from carrel.model import Reading, ServedFrom
from carrel.observe.sent import Sent

FROM_A_CACHE = frozenset({ServedFrom.HIT, ServedFrom.SHARED})
"""Answered from there, a read counts as a hit."""


class Kind:
    """Responses of a batch that differ in nothing but their times."""

    __slots__ = ("behind", "between", "latencies_s", "operations", "reads", "status")

    def __init__(self, sent: Sent) -> None:
        self.status = sent.status
        self.reads: tuple[Read, ...] = sent.reads
        self.operations: tuple[Operation, ...] = sent.operations
        self.latencies_s: list[float] = []
        """How long each of them took."""
        self.between = self.behind = b""
        """What the access log has between the numbers of a line, and from there to the next line."""


class Tallies(NamedTuple):
    """A batch, counted."""

    kinds: list[Kind]
    kind_of_each: list[Kind]
    """Of each response, in the order of the batch."""
    latencies_s: list[float]
    """Likewise."""
    marked: list[Sent]
    """Those that are to be traced."""
    body_bytes: int


def tally(batch: Sequence[Sent]) -> Tallies:
    """Count a batch: the one look at each response, which every read pays for."""
    known: dict[object, Kind] = {}
    kinds: list[Kind] = []
    kind_of_each: list[Kind] = []
    marked: list[Sent] = []
    body_bytes = 0
    latencies_s = [sent.end_s - sent.start_s for sent in batch]
    for sent, latency_s in zip(batch, latencies_s, strict=True):
        reads = sent.reads
        operations = sent.operations
        # A read is one with itself only, so this looks at no more than its address.
        key = reads[0] if reads else operations
        try:
            kind = known[key]
        except KeyError:
            kind = None
        if kind is None or kind.operations is not operations or kind.status != sent.status:
            kind = known[key] = Kind(sent)
            kinds.append(kind)
        kind.latencies_s.append(latency_s)
        kind_of_each.append(kind)
        body_bytes += sent.body_bytes
        if sent.mark is not None:
            marked.append(sent)
    return Tallies(kinds, kind_of_each, latencies_s, marked, body_bytes)


def served_from(read: Reading | Revalidation) -> ServedFrom:
    """Return where a read was answered from; what the client has already counts as a hit."""
    return read.served_from if isinstance(read, Reading) else ServedFrom.HIT
