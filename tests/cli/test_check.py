import json
import os
from pathlib import Path
from typing import Any

from tests.support.cli import carrel
from tests.support.trees import plant


def findings(root: Path, environment: dict[str, str] | None = None) -> tuple[int, list[dict[str, Any]]]:
    found = carrel("check", root, "--json", environment=environment)
    document = json.loads(found.stdout)
    return found.returncode, document["problems"]


def test_a_good_library_has_no_problems(library: Path) -> None:
    found = carrel("check", library)
    assert (found.returncode, found.stdout, found.stderr) == (0, "5 resources, no problems\n", "")
    assert findings(library) == (0, [])


def test_the_starter_library_is_good() -> None:
    found = carrel("check")
    assert found.returncode == 0
    assert found.stdout.endswith("resources, no problems\n")


def test_two_files_that_claim_one_uri_are_a_problem(library: Path) -> None:
    plant(library, {"zzz/sdlc-core.md": "# Second\n"})
    code, problems = findings(library)
    assert code == 1
    assert problems == [
        {
            "kind": "collision",
            "path": "zzz/sdlc-core.md",
            "reason": "claims a URI that sdlc-core.md has",
            "uri": "mcp://resources/sdlc/core",
        }
    ]
    found = carrel("check", library)
    assert found.returncode == 1
    claims = "claims a URI that sdlc-core.md has (mcp://resources/sdlc/core)"
    assert found.stdout == f"zzz/sdlc-core.md: {claims}\n5 resources, 1 problem(s)\n"


def test_a_name_that_cannot_be_part_of_a_uri_is_a_problem(library: Path) -> None:
    plant(library, {"a;b.md": "x"})
    code, problems = findings(library)
    assert (code, [(each["kind"], each["path"]) for each in problems]) == (1, [("name", "a;b.md")])


def test_a_name_that_is_not_utf_8_is_a_problem(library: Path) -> None:
    Path(os.fsdecode(os.fsencode(library) + b"/caf\xe9.md")).write_text("x")
    for arguments in ((), ("--json",)):
        found = carrel("check", library, *arguments)
        assert found.returncode == 1
        assert "caf" in found.stdout
        assert "Traceback" not in found.stderr


def test_links_and_large_files_are_problems(library: Path) -> None:
    (library / "link.md").symlink_to("sdlc-core.md")
    plant(library, {"large.md": "x" * 5000})
    code, problems = findings(library, {"CARREL_MAX_DOCUMENT_BYTES": "4500"})
    assert code == 1
    assert {(each["kind"], each["path"]) for each in problems} >= {("file", "link.md"), ("file", "large.md")}


def test_all_that_is_wrong_is_told_at_once(library: Path) -> None:
    (library / "link.md").symlink_to("nowhere.md")
    plant(library, {"a;b.md": "x", "zzz/sdlc-core.md": "x"})
    code, problems = findings(library)
    assert (code, [each["kind"] for each in problems]) == (1, ["file", "name", "collision"])
