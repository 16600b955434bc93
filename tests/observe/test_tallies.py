import os
from collections.abc import Iterator

import pytest

from carrel.http.exchange import FailedRead, Mark
from carrel.observe.access_log import AccessLog
from carrel.observe.lines import LineWriter
from carrel.observe.sent import Sent
from carrel.observe.tallies import tally
from carrel.observe.tracing.marking import Note

READ = FailedRead("mcp://resources/none", "ResourceNotFound")


def sent(end_s: float, mark: Mark | None = None) -> Sent:
    return Sent(404, 30, (READ,), (), None, mark, 1.0, end_s)


@pytest.fixture
def log() -> Iterator[AccessLog]:
    descriptor = os.open(os.devnull, os.O_WRONLY)
    yield AccessLog(LineWriter(descriptor))
    os.close(descriptor)


def test_a_traced_read_is_told_with_its_trace(log: AccessLog) -> None:
    note = Note(0x4BF92F3577B34DA6A3CE929D0E0E4736, None, 0.0, None)
    traced, other = tally([sent(2.0, note), sent(2.0)], 0.0, log).lines
    assert traced.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert not other.trace_id


def test_without_a_log_there_are_counts_and_no_lines() -> None:
    tallies = tally([sent(2.5), sent(3.0)], 0.0)
    assert tallies.lines == []
    assert tallies.reads[READ].latencies_s == [1.5, 2.0]
    assert tallies.responses == {404: 2}
    assert tallies.body_bytes == 60
