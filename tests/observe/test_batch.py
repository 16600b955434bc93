from choirbook.http.exchange import FailedRead, Mark, Operation, Read, Response
from choirbook.observe.batch import Notes, Sent
from choirbook.observe.tracing.sampling import Note
from tests.support.batches import batch_of

READ = FailedRead("mcp://resources/none", "ResourceNotFound")
PING = (Operation("ping"),)
NOTE = Note(1, None, 0.0, None)


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
    notes = Notes(lambda: told.append("first"), lambda: told.append("full"), 3)
    for _ in range(3):
        notes.note(Response(200, []), 0.0)
    assert told == ["first", "full"]
    assert len(notes.take()) == 3
    assert len(notes.take()) == 0
    notes.note(Response(200, []), 0.0)
    assert told == ["first", "full", "first"]
