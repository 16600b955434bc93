"""Batches of responses that took the time a test says they took."""

from collections.abc import Iterable

from choirbook.http.exchange import Response
from choirbook.observe.batch import ResponseBatch, ResponseBuffer, Sent


def batch_of(sent: Iterable[Sent]) -> ResponseBatch:
    """Record responses at the times they were sent at."""
    ends_s: list[float] = []
    notes = ResponseBuffer(_pass, _pass, 1_000_000, lambda: ends_s[-1])
    for each in sent:
        ends_s.append(each.end_s)
        body = b"." * each.body_bytes
        response = Response(each.status, [], body, each.reads, each.operations, mark=each.mark)
        notes.add(response, each.start_s)
    return notes.take()


def _pass() -> None:
    """Do nothing: the batch is taken when all is noted."""
