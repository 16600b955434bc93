"""Leftovers of a set-up under the product's former name stop a start, with the name to use instead."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from choirbook.catalog.rules import FORMER_RULES_FILE, RULES_FILE
from choirbook.environment import PREFIX
from choirbook.errors import InvalidLibrary, InvalidSettings
from choirbook.library.rules_file import RulesFile
from choirbook.library.scanner import open_library, read_rules_text
from choirbook.model import SourceGone, SourceMisruled
from choirbook.settings import Settings, load
from choirbook.sources.ignore_rules import FORMER_IGNORE_FILE, IGNORE_FILE
from choirbook.text.former_name import FORMER, PRODUCT, former
from tests.support.apps import serving
from tests.support.cli import choirbook
from tests.support.sources import directory
from tests.support.trees import ALL_MARKDOWN, plant, replace
from tests.support.waiting import eventually

OLD_PORT, NEW_PORT = former(f"{PREFIX}PORT"), f"{PREFIX}PORT"


def test_the_former_name_is_another_one() -> None:
    assert FORMER != PRODUCT
    assert former("choirbook.toml") == f"{FORMER}.toml"
    assert former("a/.choirbookignore") == f"a/.{FORMER}ignore"
    assert f"{FORMER.upper()}_PORT" == OLD_PORT


@pytest.mark.parametrize("field", Settings.__struct_fields__)
def test_every_setting_by_its_former_name_stops_the_start(field: str) -> None:
    name = f"{PREFIX}{field.upper()}"
    with pytest.raises(InvalidSettings, match=f"in the environment .*{former(name)} to {name}") as caught:
        load(environment={former(name): "sesame"})
    assert "sesame" not in caught.value.message


def test_all_variables_are_named_at_once_with_the_file_that_sets_them(tmp_path: Path) -> None:
    env_file = tmp_path / "settings.env"
    old, new = former(f"{PREFIX}WORKERS"), f"{PREFIX}WORKERS"
    env_file.write_text(f"{old}=2\n{OLD_PORT}=1\n")
    with pytest.raises(InvalidSettings, match=r"settings\.env") as caught:
        load(env_file=env_file, environment={})
    assert caught.value.message.endswith(f"Rename {OLD_PORT} to {NEW_PORT}, {old} to {new}.")


@pytest.mark.parametrize(
    "environment",
    [
        {OLD_PORT: "1", NEW_PORT: "8000"},
        {former(f"{PREFIX}HOME"): "x"},
        {OLD_PORT: "tcp://10.0.0.1:8000", former(f"{PREFIX}SERVICE_HOST"): "10.0.0.1"},
    ],
    ids=["beside the present name", "of another tool", "of a service in Kubernetes"],
)
def test_variables_of_others_are_let_be(environment: dict[str, str]) -> None:
    assert load(environment=environment) == Settings()


@pytest.mark.parametrize("command", ["serve", "stdio", "check", "list"])
def test_a_rules_file_by_its_former_name_stops_every_command(library: Path, command: str) -> None:
    plant(library, {FORMER_RULES_FILE: ALL_MARKDOWN})
    found = choirbook(command, library)
    assert (found.returncode, found.stdout) == (2, "")
    (line,) = found.stderr.splitlines()
    assert f"{FORMER_RULES_FILE} has the former name of this product" in line
    assert line.endswith(f"Rename it to {RULES_FILE}.")


@pytest.mark.parametrize("target", ["rules.txt", "/nowhere/else"])
def test_a_link_by_the_former_name_is_a_leftover_too(library: Path, target: str) -> None:
    plant(library, {"rules.txt": ALL_MARKDOWN})
    (library / FORMER_RULES_FILE).symlink_to(target)
    with pytest.raises(InvalidLibrary, match="former name"):
        open_library(library, 1024)


def test_a_rules_file_of_another_tool_is_let_be_beside_ours(library: Path) -> None:
    plant(library, {RULES_FILE: ALL_MARKDOWN, FORMER_RULES_FILE: "of another tool"})
    assert read_rules_text(library) == ALL_MARKDOWN
    (library / FORMER_RULES_FILE).unlink()
    (library / FORMER_RULES_FILE).mkdir()
    assert read_rules_text(library) == ALL_MARKDOWN
    (library / RULES_FILE).unlink()
    assert read_rules_text(library) is None


async def test_a_running_server_keeps_its_rules_and_reports_the_former_name(library: Path) -> None:
    plant(library, {RULES_FILE: ALL_MARKDOWN})
    async with serving(library, watch=False, rescan_s=0.05) as served:
        before = set(served.library.catalog.uris())
        os.rename(library / RULES_FILE, library / FORMER_RULES_FILE)  # noqa: PTH104 - in one step
        await eventually(lambda: served.library.follower.rule_faults)
        (told,) = (await served.get("/readyz")).json()["degraded"]
        assert told == (
            f"{FORMER_RULES_FILE} has the former name of this product, so it is not read. "
            f"Rename it to {RULES_FILE}."
        )
        assert set(served.library.catalog.uris()) == before
        os.rename(library / FORMER_RULES_FILE, library / RULES_FILE)  # noqa: PTH104 - as above
        await eventually(lambda: not served.library.follower.rule_faults)


def test_rules_by_the_former_name_that_appear_later_change_nothing(library: Path) -> None:
    rulebook = RulesFile(library, None)
    plant(library, {FORMER_RULES_FILE: ALL_MARKDOWN})
    assert rulebook.look() is None
    assert "former name" in rulebook.fault
    assert str(library) not in rulebook.fault
    (library / FORMER_RULES_FILE).unlink()
    assert rulebook.look() is None
    assert rulebook.fault == ""


@pytest.mark.parametrize("below", ["", "sub/"])
def test_an_ignore_file_by_its_former_name_stops_a_start(library: Path, below: str) -> None:
    plant(library, {f"{below}{FORMER_IGNORE_FILE}": "drafts/\n", f"{below}drafts/secret.md": "x"})
    with pytest.raises(SourceMisruled, match=f"^{below}{IGNORE_FILE} is missing"):
        directory(library).list()
    found = choirbook("serve", library)
    assert (found.returncode, found.stdout) == (2, "")
    (line,) = found.stderr.splitlines()
    assert f"{below}{IGNORE_FILE} is missing, and {FORMER_IGNORE_FILE} has the former name" in line
    assert line.endswith(f"Rename it to {IGNORE_FILE}.")


def test_what_an_ignore_file_by_its_former_name_left_out_is_never_served(tmp_path: Path) -> None:
    source = directory(plant(tmp_path, {"a.md": "x"}))
    assert [entry.path for entry in source.list()[0]] == ["a.md"]
    plant(tmp_path, {f"sub/{FORMER_IGNORE_FILE}": "secret.md\n", "sub/secret.md": "x", "sub/b.md": "x"})
    with pytest.raises(SourceGone):
        source.stat("sub/secret.md")
    entries, problems = source.list()
    assert [entry.path for entry in entries] == ["a.md"]
    assert [problem.path for problem in problems] == ["sub"]
    (tmp_path / "sub" / FORMER_IGNORE_FILE).rename(tmp_path / "sub" / IGNORE_FILE)
    assert {entry.path for entry in source.list()[0]} == {"a.md", "sub/b.md"}
    assert source.rule_faults == ()


def test_an_ignore_file_that_gets_its_former_name_back_stays_in_force(tmp_path: Path) -> None:
    source = directory(plant(tmp_path, {IGNORE_FILE: "secret.md\n", "secret.md": "x", "a.md": "x"}))
    assert [entry.path for entry in source.list()[0]] == ["a.md"]
    (tmp_path / IGNORE_FILE).rename(tmp_path / FORMER_IGNORE_FILE)
    assert [entry.path for entry in source.list()[0]] == ["a.md"]
    (fault,) = source.rule_faults
    assert fault.startswith(f"{IGNORE_FILE} is missing, and {FORMER_IGNORE_FILE} ")


@pytest.mark.parametrize("kind", ["a link that leads nowhere", "a link", "a file of mode 0", "a directory"])
def test_whatever_has_the_former_name_counts_but_a_directory(tmp_path: Path, kind: str) -> None:
    plant(tmp_path, {"a.md": "x"})
    path = tmp_path / FORMER_IGNORE_FILE
    if kind == "a directory":
        path.mkdir()
        assert [entry.path for entry in directory(tmp_path).list()[0]] == ["a.md"]
        return
    if kind == "a file of mode 0":
        path.touch(mode=0)
    else:
        path.symlink_to("a.md" if kind == "a link" else "/nowhere/else")
    with pytest.raises(SourceMisruled, match="former name"):
        directory(tmp_path).list()


def test_an_ignore_file_of_another_tool_is_let_be_beside_ours(tmp_path: Path) -> None:
    plant(tmp_path, {IGNORE_FILE: "", FORMER_IGNORE_FILE: "a.md\n", "a.md": "x"})
    source = directory(tmp_path)
    assert [entry.path for entry in source.list()[0]] == ["a.md"]
    replace(tmp_path / FORMER_IGNORE_FILE, "*\n")
    assert [entry.path for entry in source.list()[0]] == ["a.md"]
    assert source.rule_faults == ()
