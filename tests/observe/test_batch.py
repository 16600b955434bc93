from choirbook.http.exchange import FailedRead, Mark, Operation, Read, Request, Response
from choirbook.observe.batch import MAX_KEPT_BODY_BYTES, ResponseBuffer, Sent
from choirbook.observe.tracing.sampling import TraceNote
from tests.support.batches import batch_of

READ = FailedRead("mcp://resources/none", "ResourceNotFound")
PING = (Operation("ping"),)
NOTE = TraceNote(1, None, 0.0, None)


def sent(
    end_s: float,
    *reads: Read,
    status: int = 404,
    operations: tuple[Operation, ...] = (),
    mark: Mark | None = None,
) -> Sent:
    return Sent(status, 30, reads, operations, mark, 1.0, end_s)


def test_responses_that_differ_in_nothing_but_their_times_are_of_one_kind() -> None:
    batch = batch_of([sent(2.5, READ), sent(3.0), sent(3.5, READ)])
    of_read, other = batch.kinds
    assert (of_read.reads, of_read.latencies_s) == ((READ,), [1.5, 2.5])
    assert (other.reads, other.latencies_s) == ((), [2.0])
    assert batch.kind_of_each == [of_read, other, of_read]
    assert batch.latencies_s == [1.5, 2.0, 2.5]
    assert batch.ends_s == [2.5, 3.0, 3.5]
    assert batch.sizes == [30, 30, 30]


def test_a_read_is_told_apart_by_how_it_was_asked_for_and_what_came_of_it() -> None:
    all_sent = [
        sent(2.0, READ),
        sent(2.0, READ, operations=PING),
        sent(2.0, READ, status=200),
        sent(2.0, operations=PING),
        sent(2.0, status=200, operations=PING),
        sent(2.0, READ, READ, operations=(Operation("ping"), Operation("ping"))),
    ]
    kinds = batch_of(all_sent).kinds
    told = [(kind.status, kind.reads, kind.operations) for kind in kinds]
    assert told == [(each.status, each.reads, each.operations) for each in all_sent]


def test_a_response_is_returned_as_it_was_noted() -> None:
    all_sent = [sent(2.0, READ), sent(2.5, READ, mark=NOTE), sent(3.0, operations=PING)]
    batch = batch_of(all_sent)
    assert batch.marks == {1: NOTE}
    assert [batch.sent(place) for place in range(3)] == all_sent


def test_the_first_note_and_the_last_that_may_wait_are_told_of() -> None:
    told: list[str] = []
    notes = ResponseBuffer(lambda: told.append("first"), lambda: told.append("full"), 3)
    for _ in range(3):
        notes.add(Response(200, []), 0.0)
    assert told == ["first", "full"]
    assert len(notes.take()) == 3
    assert len(notes.take()) == 0
    notes.add(Response(200, []), 0.0)
    assert told == ["first", "full", "first"]


class Fields(dict[str, str]):
    """Headers."""

    def get_all(self, name: str) -> list[str]:
        return [self[name]] if name in self else []


def asked_by(client: str, body: bytes = b"") -> Request:
    return Request("GET", "/", "", Fields({"user-agent": client}), body)


def test_of_one_response_that_answers_several_each_request_is_kept() -> None:
    notes = ResponseBuffer(lambda: None, lambda: None, 10, keeps_requests=True)
    response, one, other = Response(200, [], reads=(READ,)), asked_by("one"), asked_by("other")
    notes.add(response, 0.0, one)
    notes.add(response, 0.0, b"a message")
    notes.add(response, 0.0)
    notes.add(Response(200, []), 0.0, other)
    notes.add(response, 0.0, other)
    assert notes.take().requests == {0: one, 1: b"a message", 4: other}


def test_requests_are_kept_where_that_is_asked_for_only() -> None:
    notes = ResponseBuffer(lambda: None, lambda: None, 10)
    notes.add(Response(200, [], reads=(READ,)), 0.0, asked_by("one"))
    assert notes.take().requests == {}


def test_of_a_long_request_the_body_is_not_kept() -> None:
    notes = ResponseBuffer(lambda: None, lambda: None, 10, keeps_requests=True)
    long, longest = (
        asked_by("one", b"x" * (MAX_KEPT_BODY_BYTES + 1)),
        asked_by("two", b"x" * MAX_KEPT_BODY_BYTES),
    )
    for request in (long, longest):
        notes.add(Response(200, [], reads=(READ,)), 0.0, request)
    kept = notes.take().requests
    assert kept == {0: asked_by("one"), 1: longest}
    assert len(long.body) > MAX_KEPT_BODY_BYTES, "the request itself stays whole"
