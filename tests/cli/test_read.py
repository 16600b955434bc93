import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import carrel
from tests.support.trees import CORE, PIXEL, PYTHON_CORE


@pytest.mark.parametrize(
    ("uri", "content"),
    [
        ("mcp://resources/sdlc/core", CORE),
        ("MCP://resources/%73dlc/core", CORE),
        ("mcp://resources/patterns/core", PYTHON_CORE),
    ],
)
def test_the_bytes_of_a_resource_are_written(library: Path, uri: str, content: str) -> None:
    found = carrel("read", uri, library)
    assert (found.returncode, found.stdout, found.stderr) == (0, content, "")


def test_a_picture_is_written_as_it_is(library: Path) -> None:
    command = [sys.executable, "-m", "carrel", "read", "mcp://resources/files/images/pixel.png", str(library)]
    assert subprocess.run(command, capture_output=True, check=True, timeout=60).stdout == PIXEL


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("mcp://resources/sdlc/cor", "Did you mean mcp://resources/sdlc/core?"),
        ("mcp://resources/../etc/passwd", "'..'"),
        ("sdlc/core", "no scheme"),
        ("", "no scheme"),
    ],
)
def test_what_is_not_there_ends_with_a_line_on_stderr(library: Path, uri: str, message: str) -> None:
    found = carrel("read", uri, library)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("carrel: ")
    assert message in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_a_uri_that_is_not_utf_8_is_refused(library: Path) -> None:
    found = carrel("read", os.fsdecode(b"mcp://resources/\xff"), library)
    assert found.returncode == 1
    assert "Traceback" not in found.stderr
