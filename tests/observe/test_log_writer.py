import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.observe import operator_log
from choirbook.observe.log_writer import MAX_BUFFERED_BYTES, LineWriter, pieces
from tests.support.waiting import eventually_sync


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:
            continue


def drain(reading: int, found: bytearray) -> None:
    while chunk := os.read(reading, 65536):
        found += chunk


def test_what_is_written_arrives_in_order(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing)
    for number in range(1000):
        writer.write(b"%d\n" % number)
    writer.close()
    os.close(writing)
    found = bytearray()
    drain(reading, found)
    assert found == b"".join(b"%d\n" % number for number in range(1000))
    assert writer.dropped_lines == 0


def test_two_workers_lines_do_not_mix_in_a_file(tmp_path: Path) -> None:
    block = b"".join(b"%04d %s\n" % (number, b"x" * 200) for number in range(1000))
    with (tmp_path / "log").open("wb") as file:
        writers = [LineWriter(file.fileno()) for _ in range(2)]
        for writer in writers:
            for _ in range(5):
                writer.write(block)
        for writer in writers:
            writer.close()
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert sorted(lines) == sorted(block.splitlines() * 10)


def test_a_pipe_that_nobody_reads_holds_nobody_up_and_what_does_not_fit_is_counted(
    pipe: tuple[int, int],
) -> None:
    reading, writing = pipe
    writer = LineWriter(writing)
    line = b"x" * 1023 + b"\n"
    block = line * 64
    written = 0
    while writer.dropped_lines == 0:
        writer.write(block)
        written += 64
        assert written * len(line) < 4 * MAX_BUFFERED_BYTES
    found = bytearray()
    reader = threading.Thread(target=drain, args=(reading, found))
    reader.start()
    writer.close(deadline_s=30)
    os.close(writing)
    reader.join(30)
    assert bytes(found) == line * (written - writer.dropped_lines), "whole lines, each once"


def test_a_stderr_that_is_gone_is_no_error(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    writer = LineWriter(writing)
    writer.write(b"one\ntwo\n")
    writer.close()
    assert writer.dropped_lines == 2


def test_closing_twice_and_closing_unused_do_no_harm(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])
    writer.close()
    writer.write(b"x\n")
    writer.close()
    writer.close()
    assert os.read(pipe[0], 10) == b"x\n"


def test_closing_does_not_wait_for_ever(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing)
    writer.write(b"x" * 200_000 + b"\n")
    writer.close(deadline_s=0.01)
    found = bytearray()
    reader = threading.Thread(target=drain, args=(reading, found))
    reader.start()
    eventually_sync(lambda: len(found) == 200_001)
    os.close(writing)
    reader.join(30)


lines = st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"") + b"\n"), max_size=30)


@given(lines, st.integers(1, 100))
def test_pieces_are_whole_lines_that_fit(found: list[bytes], size: int) -> None:
    block = b"".join(found)
    cut = pieces(block, size)
    assert b"".join(cut) == block
    for piece in cut:
        assert piece.endswith(b"\n")
        assert len(piece) <= size or piece.count(b"\n") == 1


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_block_is_cut_without_loss(block: bytes, size: int) -> None:
    assert b"".join(pieces(block, size)) == block


@pytest.fixture
def logged(pipe: tuple[int, int]) -> Iterator[tuple[int, LineWriter]]:
    """Install the operator's log on a pipe, and put the old one back."""
    root, own = logging.getLogger(), logging.getLogger("choirbook")
    before = (list(root.handlers), root.level, own.level)
    writer = LineWriter(pipe[1])
    operator_log.install(writer)
    yield pipe[0], writer
    writer.close()
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    own.setLevel(before[2])


def test_the_operator_is_told_in_json_lines(logged: tuple[int, LineWriter]) -> None:
    reading, writer = logged
    logging.getLogger("choirbook.library").warning("cannot read %s", "a\nb")
    logging.getLogger("choirbook.library").debug("not this")
    logging.getLogger("elsewhere").info("nor this")
    try:
        int("why")
    except ValueError:
        logging.getLogger("elsewhere").exception("it failed")
    writer.close()
    first, second = (json.loads(line) for line in os.read(reading, 65536).splitlines())
    assert (first["level"], first["logger"], first["message"]) == (
        "warning",
        "choirbook.library",
        "cannot read a\nb",
    )
    assert second["traceback"].endswith("ValueError: invalid literal for int() with base 10: 'why'")


def test_a_file_name_that_is_not_utf_8_can_be_logged(logged: tuple[int, LineWriter]) -> None:
    reading, writer = logged
    logging.getLogger("choirbook.library").warning("cannot read %s", "caf\udce9.md")
    writer.close()
    assert "caf" in json.loads(os.read(reading, 65536))["message"]
