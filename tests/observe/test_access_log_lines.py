"""The two ways in which lines are made: that of lines that differ in numbers only, and that of any."""

import json
import os
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from choirbook.http.exchange import FailedRead, Read, Revalidation
from choirbook.model import Reading, Representation, ResourceInfo, ServedFrom, Version
from choirbook.observe.access_log import AccessLog
from choirbook.observe.batch import Sent
from choirbook.observe.log_writer import LineWriter
from choirbook.observe.tracing.sampling import TraceNote
from tests.support.batches import batch_of

TRACE = 0x4BF92F3577B34DA6A3CE929D0E0E4736
MARK = TraceNote(TRACE, None, 0.0, None)


def info(uri: str) -> ResourceInfo:
    return ResourceInfo(uri, uri, "a.md", "a", "A", "", "sdlc", "text/markdown", 20, 0, Version("1"))


def hit(uri: str) -> Reading:
    return Reading(info(uri), Representation(b"x", '"e"', [], "d", []), ServedFrom.HIT)


def written(batch: list[Sent], hits: float = 1.0, *, with_ids: bool = False) -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        writer = LineWriter(descriptor)
        AccessLog(writer, hits, with_ids=with_ids).write(batch_of(batch), 1.7e9)
        writer.close()
        os.close(descriptor)
        return path.read_bytes()


URIS = st.text(max_size=20)
READS = st.one_of(
    st.builds(hit, URIS),
    st.builds(lambda uri: Revalidation(info(uri)), URIS),
    st.builds(FailedRead, URIS, st.just("ResourceNotFound")),
)


@st.composite
def batches(draw: st.DrawFn) -> list[Sent]:
    kinds: list[tuple[Read, ...]] = [(), *((read,) for read in draw(st.lists(READS, max_size=4)))]
    picked = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=12))
    times = st.floats(0, 1e6, allow_nan=False)
    return [Sent(200, 5, reads, (), None, 10.0, 10.0 + draw(times)) for reads in picked]


@given(batches())
def test_lines_that_are_alike_are_those_that_would_be_made_one_by_one(batch: list[Sent]) -> None:
    # Nobody stated who it is, so no line has an id, though it is asked for.
    assert written(batch) == written(batch, with_ids=True)


def test_a_traced_read_is_told_with_its_trace() -> None:
    read = FailedRead("mcp://resources/none", "ResourceNotFound")
    batch = [Sent(404, 30, (read,), (), mark, 1.0, 2.0) for mark in (MARK, None)]
    traced, other = map(json.loads, written(batch).splitlines())
    assert traced["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert "trace_id" not in other


def test_hits_are_left_out_and_nothing_else() -> None:
    failed = FailedRead("mcp://resources/none", "ResourceNotFound")
    batch = [Sent(200, 5, (read,), (), None, 1.0, 2.0) for read in (hit("mcp://a"), failed)]
    (line,) = map(json.loads, written(batch, hits=0.0).splitlines())
    assert line["cache_result"] == "none"


def test_what_read_nothing_has_no_line() -> None:
    assert written([Sent(200, 5, (), (), None, 1.0, 2.0)]) == b""


def test_latencies_are_told_in_whole_microseconds_however_many_there_are() -> None:
    # Those that have their text ready, and others.
    latencies_us = range(0, 50_000, 7)
    read = hit("mcp://a")
    batch = [Sent(200, 5, (read,), (), None, 0.0, us / 1e6 + 2e-7) for us in latencies_us]
    told = [json.loads(line)["latency_ms"] for line in written(batch).splitlines()]
    assert told == [us / 1000 for us in latencies_us]
