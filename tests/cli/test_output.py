"""Text of others never reaches a terminal as it is, whatever a command prints."""

import ast
import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import choirbook.cli
from choirbook.cli.output import console, say, say_csv, say_json
from tests.support.cli import choirbook as run
from tests.support.trees import PIXEL, plant

WILD = "T \x1b[31mred\x1b[0m \u202e rtl \u2028 line \x07 \x9b"
TAME = "T \\x1b[31mred\\x1b[0m \\u202e rtl \\u2028 line \\x07 \\x9b"
UNFIT = {"\x1b", "\x07", "\x9b", "\u202e", "\u2028", "\x00"}


def on_terminal(*arguments: str | Path) -> tuple[int, bytes]:
    """Run `choirbook` with a terminal as its stdout, and return what it wrote there."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "choirbook", *map(str, arguments)], stdout=follower, stderr=subprocess.DEVNULL
    )
    os.close(follower)
    written = b""
    with os.fdopen(leader, "rb", buffering=0) as reader:
        while True:
            try:
                piece = reader.read(65536)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            written += piece
    return process.wait(timeout=20), written


@pytest.fixture
def wild(tmp_path: Path) -> Path:
    root = tmp_path / "lib"
    plant(root, {"a\x1b]0;x\x07b.md": "# x\n", "new\nline.md": "# x\n", "\u202egnp.md": "# x\n"})
    plant(root, {"t.md": f"# {WILD}\n".replace("\u2028", " ")})
    return root


@pytest.mark.parametrize("command", ["list", "check"])
@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_what_documents_are_called_is_spelled_out(
    wild: Path, command: str, arguments: tuple[str, ...]
) -> None:
    found = run(command, wild, *arguments)
    assert not UNFIT & set(found.stdout)
    assert found.stderr == ""


def test_a_name_with_a_line_end_is_on_one_line(wild: Path) -> None:
    found = run("check", wild)
    assert any(line.startswith("new\\nline.md: ") for line in found.stdout.splitlines())
    assert any(line.startswith("a\\x1b]0;x\\x07b.md: ") for line in found.stdout.splitlines())


def test_a_title_is_spelled_out_on_a_terminal_too(wild: Path) -> None:
    code, written = on_terminal("list", wild)
    assert code == 0
    assert b"\x1b[31mred" not in written
    assert "\u202e".encode() not in written


def test_json_means_the_same(wild: Path) -> None:
    (listed,) = json.loads(run("list", wild, "--json").stdout)
    assert listed["title"] == " ".join(WILD.split())


def test_an_error_names_what_was_asked_for_in_escapes(wild: Path) -> None:
    found = run("read", f"mcp://resources/files/{WILD}.md", wild)
    assert found.returncode != 0
    found = run("list", wild / "no\x1b[31m\nsuch\u202edirectory")
    assert found.returncode != 0
    assert not UNFIT & set(found.stderr)
    assert found.stderr.count("\n") == 1


def test_a_document_is_written_as_it_is_to_a_pipe(wild: Path) -> None:
    found = run("read", "mcp://resources/files/t.md", wild)
    assert found.stdout == f"# {WILD}\n".replace("\u2028", " ")


def test_a_document_is_spelled_out_on_a_terminal(wild: Path) -> None:
    plant(wild, {"d.md": "# D\r\n\n\tcode \x1b[2J \u202e é \u200d\n"})
    code, written = on_terminal("read", "mcp://resources/files/d.md", wild)
    assert code == 0
    assert written.decode().replace("\r\n", "\n") == "# D\n\n\tcode \\x1b[2J \\u202e é \u200d\n"


@pytest.mark.parametrize(("name", "data"), [("p.png", PIXEL), ("l.md", b"caf\xe9\n")])
def test_what_is_no_text_is_not_written_to_a_terminal(wild: Path, name: str, data: bytes) -> None:
    (wild / name).write_bytes(data)
    code, written = on_terminal("read", f"mcp://resources/files/{name}", wild)
    assert code != 0
    assert written == b""


def test_lines_tables_and_rows_are_spelled_out(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table

    say(f"{WILD}\n")
    assert capsys.readouterr().out == f"{TAME}\\n\n"
    printer = console()
    table = Table(WILD, box=None)
    table.add_row(WILD)
    printer.print(table)
    printer.print(WILD, style="bold")
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [TAME] * 3
    say_csv([("a", WILD, 3)])
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [["a", TAME, "3"]]
    say_json({"a\u202e": f"{WILD}\U000e0041"})
    out = capsys.readouterr().out
    assert not UNFIT & set(out)
    assert json.loads(out) == {"a\u202e": f"{WILD}\U000e0041"}


def test_nothing_but_the_output_module_prints() -> None:
    """So that what is printed later is spelled out as well."""
    assert choirbook.cli.__file__ is not None
    faults = []
    for path in Path(choirbook.cli.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="print" | "Console")):
                    faults.append(f"{path.name}:{node.lineno}")
                case ast.Attribute(
                    value=ast.Attribute(value=ast.Name(id="sys"), attr="stdout"), attr="write"
                ):
                    faults.append(f"{path.name}:{node.lineno}")
    assert {fault.partition(":")[0] for fault in faults} <= {"output.py"}
