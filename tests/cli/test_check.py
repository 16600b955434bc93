import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import choirbook
from tests.support.trees import plant


def findings(root: Path, environment: dict[str, str] | None = None) -> tuple[int, list[dict[str, Any]]]:
    found = choirbook("check", root, "--json", environment=environment)
    document = json.loads(found.stdout)
    return found.returncode, document["problems"]


def test_a_good_library_has_no_problems(library: Path) -> None:
    found = choirbook("check", library)
    assert (found.returncode, found.stdout, found.stderr) == (0, "5 resources, no problems\n", "")
    assert findings(library) == (0, [])


def test_the_starter_library_is_good() -> None:
    found = choirbook("check")
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
            "reason": "has the same URI as sdlc-core.md, which is served instead",
            "uri": "mcp://resources/sdlc/core",
            "level": "problem",
        }
    ]
    found = choirbook("check", library)
    assert found.returncode == 1
    claims = "has the same URI as sdlc-core.md, which is served instead (mcp://resources/sdlc/core)"
    assert found.stdout == f"zzz/sdlc-core.md: {claims}\n5 resources, 1 problem(s)\n"


def test_a_name_that_cannot_be_part_of_a_uri_is_a_problem(library: Path) -> None:
    plant(library, {"a;b.md": "x"})
    code, problems = findings(library)
    assert (code, [(each["kind"], each["path"]) for each in problems]) == (1, [("name", "a;b.md")])


def test_a_name_that_is_not_utf_8_is_a_problem(library: Path) -> None:
    Path(os.fsdecode(os.fsencode(library) + b"/caf\xe9.md")).write_text("x")
    for arguments in ((), ("--json",)):
        found = choirbook("check", library, *arguments)
        assert found.returncode == 1
        assert "caf" in found.stdout
        assert "Traceback" not in found.stderr


def test_links_and_large_files_are_problems(library: Path) -> None:
    (library / "link.md").symlink_to("sdlc-core.md")
    plant(library, {"large.md": "x" * 5000})
    code, problems = findings(library, {"CHOIRBOOK_MAX_DOCUMENT_BYTES": "4500"})
    assert code == 1
    assert {(each["kind"], each["path"]) for each in problems} >= {("file", "link.md"), ("file", "large.md")}


def test_all_that_is_wrong_is_told_at_once(library: Path) -> None:
    (library / "link.md").symlink_to("nowhere.md")
    plant(library, {"a;b.md": "x", "zzz/sdlc-core.md": "x"})
    code, problems = findings(library)
    assert (code, [each["kind"] for each in problems]) == (1, ["file", "name", "collision"])


def collection(type_: str, files: str, more: str = "") -> str:
    uri = f"mcp://resources/{type_}/" + ("{+path}" if "{+path}" in files else "{name}")
    return f'[[collection]]\ntype = "{type_}"\nuri = "{uri}"\nfiles = "{files}"\n{more}\n'


NOTES = collection("note", "notes/{name}.md")


def test_a_collection_without_a_file_is_a_problem(tmp_path: Path) -> None:
    rules = NOTES + collection("rule", ".cursor/rules/{name}.mdc") + collection("spec", "spec/{name}.md")
    plant(tmp_path, {"choirbook.toml": rules, "notes/a.md": "x", ".cursor/rules/py.mdc": "x"})
    code, problems = findings(tmp_path)
    assert (code, [(each["kind"], each["path"]) for each in problems]) == (
        1,
        [("empty", "choirbook.toml")] * 2,
    )
    hidden, missing = (each["reason"] for each in problems)
    assert hidden.startswith("line 6: collection 'rule': files '.cursor/rules/{name}.mdc' matches no file")
    assert "begin with a dot" in hidden
    assert missing == "line 11: collection 'spec': files 'spec/{name}.md' matches no file"


def test_a_collection_whose_files_belong_to_earlier_ones_is_a_problem(tmp_path: Path) -> None:
    rules = collection("all", "{+path}.md") + NOTES
    plant(tmp_path, {"choirbook.toml": rules, "notes/a.md": "x", "notes/b.md": "x"})
    code, problems = findings(tmp_path)
    assert (code, [each["kind"] for each in problems]) == (1, ["shadowed"])
    assert "line 6: collection 'note': earlier collections already match all 2 files" in problems[0]["reason"]


def test_a_collection_that_loses_some_files_only_is_none(tmp_path: Path) -> None:
    rules = collection("top", "notes/a{name}.md") + NOTES
    plant(tmp_path, {"choirbook.toml": rules, "notes/ab.md": "x", "notes/b.md": "x"})
    assert findings(tmp_path) == (0, [])


def test_files_with_the_wrong_case_are_a_problem(tmp_path: Path) -> None:
    plant(tmp_path, {"Choirbook.toml": NOTES, ".ChoirbookIgnore": "x", "notes/a.md": "x"})
    code, problems = findings(tmp_path)
    assert (code, [(each["kind"], each["path"]) for each in problems]) == (
        1,
        [("rules-file", ".ChoirbookIgnore"), ("rules-file", "Choirbook.toml")],
    )
    assert "Rename it to choirbook.toml" in problems[1]["reason"]


def test_files_that_no_collection_matches_are_a_warning(tmp_path: Path) -> None:
    files = {f"{number}.txt": "x" for number in range(7)}
    plant(tmp_path, {"choirbook.toml": NOTES, "notes/a.md": "x"} | files)
    found = choirbook("check", tmp_path)
    assert found.returncode == 0
    assert found.stdout == (
        "warning: choirbook.toml: 7 files match no collection: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 2 more\n"
        "1 resources, no problems, 1 warning(s)\n"
    )
    (warning,) = json.loads(choirbook("check", tmp_path, "--json").stdout)["warnings"]
    assert (warning["kind"], warning["level"]) == ("unmatched", "warning")


def test_a_default_without_documents_is_a_warning(tmp_path: Path) -> None:
    more = 'defaults = { name = "core" }\n'
    plant(tmp_path, {"choirbook.toml": collection("note", "notes/{name}.md", more), "notes/a.md": "x"})
    found = choirbook("check", tmp_path)
    assert found.returncode == 0
    assert "no document has the default name = 'core', so it creates no alias" in found.stdout
    plant(tmp_path, {"notes/core.md": "x"})
    assert choirbook("check", tmp_path).stdout == "2 resources, no problems\n"


def test_default_rules_are_not_reviewed(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "x"})
    assert choirbook("check", tmp_path).stdout == "1 resources, no problems\n"


@pytest.mark.parametrize("line", ["!", "\\", "[z-a]"])
def test_an_ignore_file_that_cannot_be_used_is_named_with_its_line(library: Path, line: str) -> None:
    plant(library, {".choirbookignore": f"# comment\n{line}\n"})
    for command in ("check", "list", "serve"):
        found = choirbook(command, library)
        assert (found.returncode, found.stdout) == (2, "")
        assert found.stderr.startswith("choirbook: .choirbookignore, line 2: ")
        assert len(found.stderr.splitlines()) == 1


def test_patterns_write_nothing_else_to_a_terminal(library: Path) -> None:
    plant(library, {".choirbookignore": "[[:alpha:]].md\n[[a].md\n[a&&b]\n[a||b]\n"})
    assert choirbook("check", library).stderr == ""
