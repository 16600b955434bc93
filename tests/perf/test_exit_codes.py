"""Exit codes: those of the errors, in the help of every command and in the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from pkgutil import iter_modules

import pytest
from typer.testing import CliRunner

from choirbook_perf import cli, commands, errors
from choirbook_perf.errors import EXIT_CODES, PerfError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "load-testing.md"
CODES = {
    0,
    *(
        each.exit_code
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, PerfError)
    ),
}


def help_of(*words: str) -> str:
    done = CliRunner().invoke(cli.app(), [*words, "--help"])
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


@pytest.mark.parametrize("command", sorted(module.name for module in iter_modules(commands.__path__)))
def test_the_help_of_each_command_lists_the_exit_codes(command: str) -> None:
    assert EXIT_CODES in help_of(command)


def test_the_help_of_all_commands_lists_the_exit_codes() -> None:
    assert EXIT_CODES in help_of()


def test_the_help_and_the_page_list_the_codes_of_the_errors() -> None:
    told = EXIT_CODES.removeprefix("Exit codes: ").split("; ")
    assert {int(each.split()[0]) for each in told} == CODES
    rows = re.findall(r"^\| (\d) \|", PAGE.read_text("utf-8").partition("## Exit codes")[2], re.MULTILINE)
    assert [int(row) for row in rows] == sorted(CODES)
