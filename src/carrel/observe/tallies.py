"""What a batch of responses comes to: one look at each response, for all who count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from carrel.http.exchange import FailedRead, Operation, Read, Revalidation
from carrel.model import Reading, ServedFrom
from carrel.observe.access_log import AccessLog, ReadLine
from carrel.observe.sent import Sent


class ReadTally(NamedTuple):
    """What the lines of one kind of read have in common, and how long each of them took."""

    uri: str
    size_bytes: int | None
    cache_result: str
    latencies_s: list[float]


class OperationTally(NamedTuple):
    """Messages of MCP that were answered alike, and how long each of them took."""

    operations: tuple[Operation, ...]
    """More than one where they came together."""
    durations_s: list[float]


class Tallies(NamedTuple):
    """A batch, counted."""

    reads: dict[Read, ReadTally]
    operations: list[OperationTally]
    responses: dict[int, int]
    """How many by status."""
    body_bytes: int
    lines: list[ReadLine]


def tally(batch: Sequence[Sent], unix_s: float, log: AccessLog | None = None) -> Tallies:
    """Count a batch.

    Hits of one document are one object, and so are the operations of one method that went well: what is said
    of them is found out once a batch.

    Args:
        batch: The responses.
        unix_s: What to add to the monotonic clock to have Unix time.
        log: Which says of what there are lines, and whose request it was; None for no lines.
    """
    reads: dict[Read, ReadTally] = {}
    operations: dict[int, OperationTally] = {}
    responses: defaultdict[int, int] = defaultdict(int)
    body_bytes = 0
    lines: list[ReadLine] = []
    with_ids = log is not None and log.with_ids
    for sent in batch:
        end_s = sent.end_s
        latency_s = end_s - sent.start_s
        status = sent.status
        responses[status] += 1
        body_bytes += sent.body_bytes
        told = sent.operations
        if told:
            # By what it is, not by what it says: looking at all of it costs more than one entry too many.
            of_operations = operations.get(id(told))
            if of_operations is None:
                of_operations = operations[id(told)] = OperationTally(told, [])
            of_operations.durations_s.append(latency_s)
        request_id: str | UnsetType = UNSET
        trace_id: str | UnsetType = UNSET
        for read in sent.reads:
            of_read = reads.get(read)
            if of_read is None:
                of_read = reads[read] = _tell(read)
            uri, size_bytes, cache_result, latencies_s = of_read
            latencies_s.append(latency_s)
            if log is None or (log.leaves_out_hits and cache_result == "hit" and log.leaves_out()):
                continue
            if with_ids and request_id is UNSET and sent.stated is not None:
                request_id, trace_id = log.correlate(sent.stated)
            if sent.mark is not None:
                trace_id = f"{sent.mark.trace_id:032x}"
            # Whole microseconds; round() to digits goes by way of text, which is far dearer.
            taken_ms = int(latency_s * 1e6) / 1000
            at_s = unix_s + end_s
            lines.append(
                ReadLine(at_s, "read", uri, taken_ms, status, size_bytes, cache_result, request_id, trace_id)
            )
    return Tallies(reads, list(operations.values()), dict(responses), body_bytes, lines)


def served_from(read: Reading | Revalidation) -> ServedFrom:
    """Return where a read was answered from; what the client has already counts as a hit."""
    return read.served_from if isinstance(read, Reading) else ServedFrom.HIT


def _tell(read: Read) -> ReadTally:
    if isinstance(read, FailedRead):
        return ReadTally(read.uri, None, "none", [])
    return ReadTally(read.info.uri, read.info.size, served_from(read), [])
