import os
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from choirbook.catalog.changeset import Document
from choirbook.catalog.rules import default_rules
from choirbook.errors import InvalidLibrary
from choirbook.library.scanner import (
    describe,
    describe_all,
    differences,
    first_differences,
    first_scan,
    load_catalog,
    look,
    open_library,
    read_rules_text,
    rules_from,
    scan,
)
from choirbook.model import SourceEntry, SourceProblem
from choirbook.sources.filesystem import FilesystemSource
from tests.support.sources import MIB, FailingSource, directory
from tests.support.trees import CORE, plant, sdlc_tree


def test_a_directory_is_opened_with_its_rules(tmp_path: Path) -> None:
    rules = '[[collection]]\ntype = "x"\nuri = "mcp://x/{name}"\nfiles = "{name}.md"\n'
    plant(tmp_path, {"choirbook.toml": 'name = "acme"\n' + rules, "a.md": "x"})
    source, found = open_library(tmp_path, MIB)
    assert (found.name, found.types) == ("acme", ("x",))
    assert source.stat("a.md").size == 1


def test_a_directory_without_rules_has_the_default_ones_and_its_own_name(tmp_path: Path) -> None:
    root = plant(tmp_path / "standards", {"a.md": "x"})
    _, rules = open_library(root, MIB)
    assert rules.name == "standards"
    assert rules.types == default_rules("x").types


@pytest.mark.parametrize(("name", "reason"), [("none", "does not exist"), ("a.md", "is not a directory")])
def test_what_is_no_directory_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    plant(tmp_path, {"a.md": "x"})
    with pytest.raises(InvalidLibrary, match=reason):
        open_library(tmp_path / name, MIB)


@pytest.mark.parametrize("content", [b"name = ", b"name = '\xff'"])
def test_broken_rules_are_named_with_their_directory(tmp_path: Path, content: bytes) -> None:
    plant(tmp_path, {"choirbook.toml": content})
    with pytest.raises(InvalidLibrary, match=str(tmp_path)):
        open_library(tmp_path, MIB)


def test_rules_that_are_a_directory_are_refused(tmp_path: Path) -> None:
    (tmp_path / "choirbook.toml").mkdir()
    with pytest.raises(InvalidLibrary, match="cannot be read"):
        read_rules_text(tmp_path)


def test_rules_that_are_a_pipe_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "choirbook.toml")
    outcome: list[object] = []

    def attempt() -> None:
        try:
            outcome.append(read_rules_text(tmp_path))
        except InvalidLibrary as error:
            outcome.append(error)

    reader = threading.Thread(target=attempt, daemon=True)
    reader.start()
    reader.join(2)
    hung = reader.is_alive()
    if hung:
        # Let the thread go, so that it does not outlive the test.
        os.close(os.open(tmp_path / "choirbook.toml", os.O_WRONLY))
        reader.join()
    assert not hung


def test_the_root_of_the_machine_has_a_name_too() -> None:
    assert rules_from(None, Path("/")).name == "library"


def test_a_scan_lists_the_source(tmp_path: Path) -> None:
    found = scan(directory(plant(tmp_path, {"a.md": "x", "b/c.md": "y"})))
    assert set(found.entries) == {"a.md", "b/c.md"}
    assert found.problems == ()
    assert found.cost_s >= 0


class BusySource(FilesystemSource):
    """Has a file that is written to before each look, as by a writer that never pauses."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, max_document_bytes=MIB)
        self._path = root / "busy.md"

    def list(self) -> tuple[list[SourceEntry], list[SourceProblem]]:
        with self._path.open("a") as file:
            file.write("x")
        return super().list()


def test_the_first_scan_leaves_out_what_is_being_written(tmp_path: Path) -> None:
    first = first_scan(BusySource(plant(tmp_path, {"old.md": "x"})))
    assert set(first.entries) == {"old.md"}
    assert first.unsettled == {"busy.md"}


def test_the_first_scan_has_what_was_just_written_and_is_quiet(tmp_path: Path) -> None:
    (tmp_path / "new.md").write_text("x")
    assert set(first_scan(directory(tmp_path)).entries) == {"new.md"}


def test_the_first_scan_has_files_of_the_future(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "x"})
    os.utime(tmp_path / "a.md", (4e9, 4e9))
    assert set(first_scan(directory(tmp_path)).entries) == {"a.md"}


def known_of(source: FilesystemSource) -> Mapping[str, Document]:
    return load_catalog(source, default_rules("x"))[0].documents()


def test_the_differences_are_what_is_new_other_and_gone(tmp_path: Path) -> None:
    source = directory(plant(tmp_path, {"same.md": "x", "other.md": "x", "gone.md": "x"}))
    known = known_of(source)
    assert differences(source, known).seen == {}
    plant(tmp_path, {"other.md": "changed", "new.md": "x"})
    (tmp_path / "gone.md").unlink()
    expected = {"other.md": source.stat("other.md"), "new.md": source.stat("new.md"), "gone.md": None}
    assert differences(source, known).seen == expected
    assert first_differences(source, known).seen == expected


def test_a_known_file_that_is_being_written_is_not_gone_for_the_first_scan(tmp_path: Path) -> None:
    source = directory(plant(tmp_path, {"busy.md": "x", "gone.md": "x"}))
    known = known_of(source)
    (tmp_path / "gone.md").unlink()
    assert first_differences(BusySource(tmp_path), known).seen == {"gone.md": None}


def test_a_document_is_described_by_its_head(tmp_path: Path) -> None:
    source = directory(plant(tmp_path, {"a.md": CORE, "b": "plain", "c": b"\0"}))
    described = describe(source, source.stat("a.md"))
    assert described == Document(source.stat("a.md"), "text/markdown", "The core", "What every project does.")
    assert describe(source, source.stat("b")).media_type == "text/plain"
    assert describe(source, source.stat("c")).media_type == "application/octet-stream"


def test_a_document_that_cannot_be_read_keeps_its_description(tmp_path: Path) -> None:
    source = directory(plant(tmp_path, {"a.md": CORE}))
    entry = source.stat("a.md")
    known = describe(source, entry)
    (tmp_path / "a.md").unlink()
    assert describe(source, entry, known) == known
    assert describe(source, entry) == Document(entry, "text/markdown", "", "")


def test_documents_are_described_in_the_order_of_their_paths(tmp_path: Path) -> None:
    source = directory(plant(tmp_path, sdlc_tree()))
    seen: dict[str, SourceEntry | None] = {"none.md": None}
    seen |= {entry.path: entry for entry in source.list()[0]}
    described = describe_all(source, seen, {})
    assert list(described) == sorted(["none.md", *sdlc_tree()])
    assert described["none.md"] is None


def test_looking_tells_what_is_there_and_what_is_gone(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "x", "large.md": "x" * (9 * MIB), "sub/b.md": "x"})
    os.mknod(tmp_path / "socket.md", 0o600 | 0o140000)
    source = directory(tmp_path)
    seen = look(source, ["a.md", "none.md", "sub", "large.md", "socket.md"])
    assert seen == {"a.md": source.stat("a.md"), "none.md": None, "sub": None, "large.md": None}


def test_a_catalog_is_loaded_at_once(tmp_path: Path) -> None:
    source, rules = open_library(plant(tmp_path, sdlc_tree() | {".x": "x"}), MIB)
    catalog, problems = load_catalog(source, rules)
    assert len(catalog) == len(sdlc_tree())
    assert problems == ()


def test_a_root_that_cannot_be_listed_is_no_library(tmp_path: Path) -> None:
    source = FailingSource(tmp_path)
    source.fails_list = True
    with pytest.raises(InvalidLibrary, match="cannot be listed"):
        load_catalog(source, default_rules("x"))


ODD = {
    "a name that is not UTF-8": (b"caf\xe9.md", b"x"),
    "front matter that no parser likes": (b"odd.md", b'---\na: !!int ""\n---\n# H\n'),
    "a name with a line feed": (b"a\nb.md", b"x"),
    "a name with a backslash": (b"a\\b.md", b"x"),
    "an empty document": (b"empty.md", b""),
    "a document of zeros": (b"zeros.md", b"\0" * 5000),
}


@pytest.mark.parametrize(("name", "content"), ODD.values(), ids=ODD.keys())
def test_no_single_file_keeps_the_others_from_being_served(
    tmp_path: Path, name: bytes, content: bytes
) -> None:
    plant(tmp_path, {"good.md": "x"})
    Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(content)  # noqa: PTH118 - bytes
    source, rules = open_library(tmp_path, MIB)
    catalog, _ = load_catalog(source, rules)
    assert catalog.find("mcp://resources/files/good.md") is not None
