"""The open file has to be quiet, not its path."""

import os
from pathlib import Path

import pytest

from choirbook.library.debounce import QUIET_S
from choirbook.model import Content, SourceChanged, SourceEntry
from choirbook.sources.captures import MAX_CAPTURED, MAX_CAPTURED_BYTES, Captures
from choirbook.sources.filesystem import FilesystemSource
from choirbook.sources.listings import entry_of
from tests.support.descriptors import open_descriptors
from tests.support.sources import directory
from tests.support.trees import again_and_again, plant, replace
from tests.support.waiting import eventually_sync


def captured(source: FilesystemSource, root: Path) -> Content:
    """Capture `a.md`, which is replaced meanwhile by others of the same content."""
    path = root / "a.md"
    with again_and_again(lambda _: replace(path, path.read_bytes())):
        # A busy machine may let a quiet time pass without it being replaced once.
        (content,) = eventually_sync(lambda: source.capture(["a.md"], QUIET_S))
    return content


def captures(root: Path) -> Captures:
    """Return what finds each document replaced that it opened, however little time it gives it."""

    def entry(path: str, status: os.stat_result) -> SourceEntry:
        replace(root / path, (root / path).read_bytes())
        return entry_of(path, status)

    return Captures(
        lambda path: os.open(root / path, os.O_RDONLY),
        entry,
        lambda descriptor, size: os.read(descriptor, size + 1),
    )


def test_a_document_that_is_replaced_again_and_again_is_captured_whole(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "0000"})
    source = directory(tmp_path)
    with again_and_again(lambda number: replace(tmp_path / "a.md", f"{number:04}" * 1000)):
        (content,) = eventually_sync(lambda: source.capture(["a.md"], QUIET_S))
        assert content.data[:-4] == content.data[4:], "of one version"
        assert len(content.data) == content.entry.size
        assert source.stat("a.md").version != content.entry.version
        assert source.read("a.md", content.entry.version) == content


def test_a_document_that_is_rewritten_in_place_is_not_captured(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "0"})
    source = directory(tmp_path)
    with again_and_again(lambda number: (tmp_path / "a.md").write_bytes(b"%d" % number)):
        assert source.capture(["a.md"], QUIET_S) == []


def test_a_document_that_is_written_to_after_it_was_replaced_is_not_captured(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "0"})
    source = directory(tmp_path)
    with (tmp_path / "a.md").open("ab", buffering=0) as lost:

        def act(number: int) -> None:
            lost.write(b"more")
            if number == 1:
                replace(tmp_path / "a.md", "other")

        with again_and_again(act):
            assert source.capture(["a.md"], 2 * QUIET_S) == []


def test_a_document_that_keeps_its_place_needs_no_capturing(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "0"})
    assert directory(tmp_path).capture(["a.md"], 0.0) == []


def test_what_was_captured_is_read_until_it_is_released(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "one"})
    source = directory(tmp_path)
    content = captured(source, tmp_path)
    replace(tmp_path / "a.md", "two")
    assert source.read("a.md", content.entry.version).data == b"one"
    assert source.read("a.md", source.stat("a.md").version).data == b"two"
    source.release(["a.md", "never.md"])
    with pytest.raises(SourceChanged):
        source.read("a.md", content.entry.version)


def test_what_is_not_there_or_empty_or_no_document_is_left_out(tmp_path: Path) -> None:
    plant(tmp_path, {"empty.md": "", ".hidden.md": "x", "a.md": "a"})
    (tmp_path / "directory").mkdir()
    source = directory(tmp_path)

    def replace_them(_: int) -> None:
        for name in ("empty.md", ".hidden.md"):
            replace(tmp_path / name, "")

    with again_and_again(replace_them):
        assert source.capture(["gone.md", "empty.md", ".hidden.md", "directory", "../a.md"], QUIET_S) == []


def test_what_is_captured_at_once_is_bounded(tmp_path: Path) -> None:
    names = [f"{number}.md" for number in range(MAX_CAPTURED + 10)]
    plant(tmp_path, dict.fromkeys(names, "x"))
    found = captures(tmp_path).capture(names, 0.0)
    assert [content.entry.path for content in found] == names[:MAX_CAPTURED]


def test_what_is_kept_is_bounded_in_bytes(tmp_path: Path) -> None:
    third = MAX_CAPTURED_BYTES // 3
    plant(tmp_path, dict.fromkeys(("a.md", "b.md", "c.md", "d.md"), "x" * third))
    kept = captures(tmp_path)
    assert [len(kept.capture([f"{name}.md"], 0.0)) for name in "abcda"] == [1, 1, 1, 0, 1]
    kept.release(["b.md"])
    assert len(kept.capture(["d.md"], 0.0)) == 1


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "a", "b.md": "b", "empty.md": ""})
    source = directory(tmp_path)
    before = open_descriptors()
    captured(source, tmp_path)
    source.capture(["b.md", "empty.md", "gone.md"], 0.0)
    assert open_descriptors() == before
