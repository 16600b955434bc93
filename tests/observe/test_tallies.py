import os
from collections.abc import Iterator

import pytest

from carrel.http.exchange import FailedRead, Response
from carrel.observe.access_log import AccessLog
from carrel.observe.lines import LineWriter
from carrel.observe.tallies import tally
from carrel.observe.tracing.marking import Marked, Note

READ = FailedRead("mcp://resources/none", "ResourceNotFound")


@pytest.fixture
def log() -> Iterator[AccessLog]:
    descriptor = os.open(os.devnull, os.O_WRONLY)
    yield AccessLog(LineWriter(descriptor))
    os.close(descriptor)


def test_a_traced_read_is_told_with_its_trace(log: AccessLog) -> None:
    note = Note(0x4BF92F3577B34DA6A3CE929D0E0E4736, None, 0.0, None)
    batch = [
        (Marked(404, [], b"", (READ,), note=note), 1.0, 2.0),
        (Response(404, [], b"", (READ,)), 1.0, 2.0),
    ]
    traced, other = tally(batch, 0.0, log).lines
    assert traced.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert not other.trace_id


def test_without_a_log_there_are_counts_and_no_lines() -> None:
    tallies = tally([(Response(404, [], b"", (READ,)), 1.0, 2.5)], 0.0)
    assert tallies.lines == []
    assert tallies.reads[READ].latencies_s == [1.5]
    assert tallies.responses == {404: 1}
