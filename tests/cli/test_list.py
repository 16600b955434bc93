import json
import os
from datetime import datetime
from pathlib import Path

from tests.support.cli import choirbook
from tests.support.trees import PIXEL, PYTHON_CORE


def test_a_person_sees_a_table(library: Path) -> None:
    found = choirbook("list", library)
    assert (found.returncode, found.stderr) == (0, "")
    lines = found.stdout.splitlines()
    assert lines[0].split() == ["URI", "Type", "Bytes", "Title"]
    assert lines[1].split() == [
        "mcp://resources/files/images/pixel.png",
        "file",
        f"{len(PIXEL):,}",
        "files/images/pixel.png",
    ]
    assert lines[-1] == "5 resources"
    assert len(lines) == 7


def test_a_program_gets_json(library: Path) -> None:
    listed = json.loads(choirbook("list", library, "--json").stdout)
    assert [item["uri"] for item in listed] == sorted(item["uri"] for item in listed)
    (python,) = [item for item in listed if item["uri"] == "mcp://resources/patterns/python/core"]
    assert datetime.fromisoformat(python.pop("lastModified")).tzinfo is not None
    assert python == {
        "uri": "mcp://resources/patterns/python/core",
        "name": "patterns/python/core",
        "title": "Python core",
        "description": "The daily bread.",
        "type": "pattern",
        "mimeType": "text/markdown",
        "size": len(PYTHON_CORE),
        "tokens": 19,
        "path": "patterns/python/patterns-core.md",
    }


def test_the_starter_library_is_the_default(tmp_path: Path) -> None:
    found = choirbook("list", cwd=tmp_path)
    assert "mcp://resources/sdlc/core" in found.stdout


def test_an_empty_directory_has_nothing(tmp_path: Path) -> None:
    assert json.loads(choirbook("list", tmp_path, "--json").stdout) == []


def test_a_title_is_no_markup(library: Path) -> None:
    (library / "sdlc-core.md").write_text("# The [bold]core[/] [/x]\n")
    assert "The [bold]core[/] [/x]" in choirbook("list", library).stdout


def test_a_name_that_is_not_utf_8_does_not_hide_the_others(library: Path) -> None:
    Path(os.fsdecode(os.fsencode(library) + b"/caf\xe9.md")).write_text("x")
    found = choirbook("list", library, "--json")
    assert found.returncode == 0
    assert len(json.loads(found.stdout)) == 5
