import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from choirbook.observe import operator_log
from choirbook.observe.log_writer import LineWriter
from choirbook.settings import LogFormat

Install = Callable[..., None]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(writing)
    os.close(reading)


@pytest.fixture
def writer(pipe: tuple[int, int]) -> Iterator[LineWriter]:
    """A writer to the pipe; the log that was installed before is put back."""
    root, own = logging.getLogger(), logging.getLogger("choirbook")
    before = (list(root.handlers), root.level, own.level)
    writer = LineWriter(pipe[1])
    yield writer
    writer.close()
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    own.setLevel(before[2])


@pytest.fixture
def told(pipe: tuple[int, int], writer: LineWriter) -> Callable[[], str]:
    def told() -> str:
        writer.close()
        return os.read(pipe[0], 65536).decode()

    return told


def fail(message: str) -> None:
    secret = "in a variable"  # noqa: F841, S105 # looked for in the log
    raise ValueError(message)


def log_failure(message: str) -> None:
    try:
        fail(message)
    except ValueError:
        logging.getLogger("choirbook.test").exception("it failed")


def test_a_program_gets_the_members_of_the_interface(writer: LineWriter, told: Callable[[], str]) -> None:
    operator_log.install(writer)
    logging.getLogger("choirbook.test").warning(
        "cannot read %s", "a\nb", extra={"fields": {"request_id": "7"}}
    )
    line: dict[str, Any] = json.loads(told())
    assert list(line) == ["ts", "level", "logger", "message", "request_id"]
    assert line.pop("ts") > 0
    assert line == {
        "level": "warning",
        "logger": "choirbook.test",
        "message": "cannot read a\nb",
        "request_id": "7",
    }


def test_what_is_about_to_change_is_told_as_it_was(writer: LineWriter, told: Callable[[], str]) -> None:
    operator_log.install(writer)
    found = ["before"]
    logging.getLogger("choirbook.test").warning("found %s", found)
    found[0] = "after"
    assert json.loads(told())["message"] == "found ['before']"


@pytest.mark.parametrize("form", ["programs", "people"])
def test_a_traceback_has_no_values_of_variables(
    writer: LineWriter, told: Callable[[], str], form: str
) -> None:
    operator_log.install(writer, for_people=form == "people")
    log_failure("why")
    said = told()
    assert "ValueError: why" in said
    assert "in a variable" not in said.replace('secret = "in a variable"', "").replace(
        'secret = \\"in a variable\\"', ""
    )


def test_people_get_lines_that_cannot_harm_their_terminal(
    writer: LineWriter, told: Callable[[], str]
) -> None:
    operator_log.install(writer, for_people=True)
    logging.getLogger("choirbook.test").warning(
        "cannot read %s", "a\x1b[2J", extra={"fields": {"more": "\x07"}}
    )
    log_failure("b\x1b]0;c")
    log_failure("d\u2028e\rf")
    logging.getLogger("choirbook.test").info("caf\udce9")
    logging.getLogger("choirbook.test").warning("cannot read %s", "a\n12:00:00 [info] forged\u2028\u202e")
    said = told()
    assert "warning" in said
    assert "a\\n12:00:00 [info] forged\\u2028\\u202e" in said
    assert not any(line.startswith("12:00:00 [info] forged") for line in said.splitlines())
    assert "cannot read a\\x1b[2J" in said
    assert "b\\x1b]0;c" in said
    assert "d\\u2028e\\rf" in said
    assert "caf" in said
    assert "\x1b" not in said
    assert "\x07" not in said


def test_people_get_columns_and_members_by_name(writer: LineWriter, told: Callable[[], str]) -> None:
    operator_log.install(writer, for_people=True)
    fields = {"where": "a b", "count": 2, "who": "'", "uri": "mcp://x"}
    logging.getLogger("choirbook.test").warning("it is %s", "late", extra={"fields": fields})
    _, line = told().rstrip("\n").split(" ", 1)
    assert (
        line == f"[warning  ] {'it is late':<30} [choirbook.test] count=2 uri=mcp://x where='a b' who=\"'\""
    )


@pytest.mark.parametrize("form", ["programs", "people"])
def test_an_event_that_has_no_error_has_no_traceback(
    writer: LineWriter, told: Callable[[], str], form: str
) -> None:
    operator_log.install(writer, for_people=form == "people")
    logging.getLogger("choirbook.test").error("no error is handled", exc_info=True)  # noqa: LOG014 - as some do
    said = told()
    assert said.count("\n") == 1
    assert "traceback" not in said
    assert "None" not in said


@pytest.mark.parametrize(("level", "expected"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_says_what_is_told(
    writer: LineWriter, told: Callable[[], str], level: str, expected: int
) -> None:
    levels = {each.value: number for each, number in operator_log.LEVELS.items()}
    operator_log.install(writer, levels[level])
    for name in ("debug", "info", "warning", "error"):
        getattr(logging.getLogger("choirbook.test"), name)("something")
    logging.getLogger("elsewhere").info("nothing of ours")
    assert len(told().splitlines()) == expected


def test_what_cannot_be_spelled_as_json_is_no_end_of_the_log(
    writer: LineWriter, told: Callable[[], str]
) -> None:
    operator_log.install(writer)
    logging.getLogger("choirbook.test").warning("first", extra={"fields": {"odd": object()}})
    logging.getLogger("choirbook.test").warning("second")
    assert json.loads(told().splitlines()[-1])["message"] == "second"
    assert writer.dropped_lines == 1


def test_lines_are_for_people_on_a_terminal(pipe: tuple[int, int]) -> None:
    controller, terminal = os.openpty()
    try:
        assert operator_log.is_for_people(LogFormat.AUTO, terminal)
        assert not operator_log.is_for_people(LogFormat.JSON, terminal)
    finally:
        os.close(terminal)
        os.close(controller)
    assert not operator_log.is_for_people(LogFormat.AUTO, pipe[1])
    assert operator_log.is_for_people(LogFormat.CONSOLE, pipe[1])


FIRST_EVENT_WITHOUT_A_DESCRIPTOR = """
import logging, os, resource, sys
from choirbook.observe import operator_log
from choirbook.observe.log_writer import LineWriter

writer = LineWriter()
operator_log.install(writer, for_people=sys.argv[1] == "people")
lowest_free = os.dup(2)
os.close(lowest_free)
resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, lowest_free))
try:
    open("/dev/null")
except OSError:
    logging.getLogger("choirbook.test").exception("nothing can be opened")
writer.close()
"""


@pytest.mark.parametrize("form", ["programs", "people"])
def test_the_first_event_is_told_when_no_descriptor_is_left(form: str) -> None:
    command = [sys.executable, "-c", FIRST_EVENT_WITHOUT_A_DESCRIPTOR, form]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "nothing can be opened" in done.stderr
    assert "Too many open files" in done.stderr
