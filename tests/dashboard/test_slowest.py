from time import monotonic

from choirbook.dashboard.slowest import KEPT, MAX_AGE_S, Slowest
from choirbook.http.exchange import FailedRead, Read, Revalidation
from choirbook.model import Reading, Representation, ResourceInfo, ServedFrom, Stage, StageName, Version
from choirbook.observe.batch import Sent
from tests.support.batches import batch_of

URI = "mcp://resources/sdlc/core"
INFO = ResourceInfo(
    uri=URI,
    canonical_uri=URI,
    path="sdlc-core.md",
    name="core",
    title="Core",
    description="",
    type="sdlc",
    media_type="text/markdown",
    size=3,
    modified_ns=0,
    version=Version("1"),
)
BYTES = Representation(b"abc", '"e"', [], "d", [])
HIT = Reading(INFO, BYTES, ServedFrom.HIT)


def sent(taken_s: float, *reads: Read, ago_s: float = 0.0) -> Sent:
    end_s = monotonic() - ago_s
    return Sent(200, 3, reads, (), None, end_s - taken_s, end_s)


def take(slowest: Slowest, *batch: Sent) -> None:
    slowest.take(batch_of(batch))


def test_the_slowest_are_kept_and_come_first() -> None:
    slowest = Slowest()
    for batch in range(10):
        take(slowest, *(sent((batch * 10 + each) / 1000, HIT) for each in range(10)))
    kept = slowest.reads()
    assert [round(read.taken_ms) for read in kept] == list(range(99, 99 - KEPT, -1))
    assert {read.uri for read in kept} == {URI}


def test_what_read_nothing_is_not_taken_note_of() -> None:
    slowest = Slowest()
    take(slowest, sent(5.0))
    assert slowest.reads() == []


def test_old_reads_make_room_for_faster_ones() -> None:
    slowest = Slowest()
    take(slowest, *(sent(1.0, HIT, ago_s=MAX_AGE_S + 1) for _ in range(KEPT)))
    take(slowest, sent(0.001, HIT))
    assert [round(read.taken_ms) for read in slowest.reads()] == [1]


def test_the_stages_are_told_from_when_the_request_was_there() -> None:
    end_s = monotonic()
    stages = (
        Stage(StageName.CACHE_MEMORY, end_s - 0.010, 0.001),
        Stage(StageName.SOURCE_READ, end_s - 0.008, 0.006),
    )
    slowest = Slowest()
    read = Reading(INFO, BYTES, ServedFrom.MISS, stages)
    take(slowest, Sent(200, 3, (read,), (), None, end_s - 0.010, end_s))
    (told,) = slowest.reads()
    assert told.result == "miss"
    assert [(stage.name, round(stage.start_ms), round(stage.duration_ms)) for stage in told.stages] == [
        ("cache.memory", 0, 1),
        ("source.read", 2, 6),
    ]


def test_a_revalidation_is_a_hit_and_a_failure_has_its_reason() -> None:
    slowest = Slowest()
    take(slowest, sent(0.002, Revalidation(INFO)), sent(0.001, FailedRead("mcp://x", "ResourceNotFound")))
    assert [(read.uri, read.result) for read in slowest.reads()] == [
        (URI, "hit"),
        ("mcp://x", "ResourceNotFound"),
    ]
