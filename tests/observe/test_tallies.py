from carrel.http.exchange import FailedRead, Mark, Operation, Read
from carrel.observe.sent import Sent
from carrel.observe.tallies import tally
from carrel.observe.tracing.marking import Note

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
    return Sent(status, 30, reads, operations, None, mark, 1.0, end_s)


def test_responses_that_differ_in_nothing_but_their_times_are_of_one_kind() -> None:
    tallies = tally([sent(2.5, READ), sent(3.0), sent(3.5, READ)])
    of_read, other = tallies.kinds
    assert (of_read.reads, of_read.latencies_s) == ((READ,), [1.5, 2.5])
    assert (other.reads, other.latencies_s) == ((), [2.0])
    assert tallies.kind_of_each == [of_read, other, of_read]
    assert tallies.latencies_s == [1.5, 2.0, 2.5]
    assert tallies.body_bytes == 90


def test_a_read_is_told_apart_by_how_it_was_asked_for_and_what_came_of_it() -> None:
    batch = [
        sent(2.0, READ),
        sent(2.0, READ, operations=PING),
        sent(2.0, READ, status=200),
        sent(2.0, operations=PING),
        sent(2.0, status=200, operations=PING),
        sent(2.0, READ, READ, operations=(Operation("ping"), Operation("ping"))),
    ]
    kinds = tally(batch).kinds
    told = [(kind.status, kind.reads, kind.operations) for kind in kinds]
    assert told == [(each.status, each.reads, each.operations) for each in batch]


def test_what_is_to_be_traced_is_picked_out() -> None:
    traced = sent(2.0, READ, mark=NOTE)
    assert tally([sent(2.0, READ), traced]).marked == [traced]
