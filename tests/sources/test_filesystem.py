import asyncio
import os
import threading
from contextlib import aclosing
from pathlib import Path

import pytest

from choirbook.model import SourceChanged, SourceError, SourceGone
from choirbook.sources.filesystem import FilesystemSource
from choirbook.sources.listings import MAX_DEPTH
from tests.support.descriptors import open_descriptors
from tests.support.sources import directory
from tests.support.trees import plant, replace


def listed(source: FilesystemSource) -> set[str]:
    return {entry.path for entry in source.list()[0]}


def problems(source: FilesystemSource) -> dict[str, str]:
    return {problem.path: problem.reason for problem in source.list()[1]}


def test_a_listing_has_every_file_but_hidden_and_ignored_ones(tmp_path: Path) -> None:
    names = ["a.md", "b/c.md", ".hidden.md", ".git/config", "b/.x/y.md", "drafts/d.md", "e.tmp"]
    plant(tmp_path, dict.fromkeys(names, "x") | {".choirbookignore": "drafts/\n*.tmp\n"})
    assert listed(directory(tmp_path)) == {"a.md", "b/c.md"}
    assert problems(directory(tmp_path)) == {}


def test_an_entry_tells_size_and_time(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "text"})
    (entry,), _ = directory(tmp_path).list()
    status = (tmp_path / "a.md").stat()
    assert (entry.path, entry.size, entry.modified_ns) == ("a.md", 4, status.st_mtime_ns)
    assert directory(tmp_path).stat("a.md") == entry


def test_what_is_read_is_of_the_version_that_was_asked_for(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "one"})
    source = directory(tmp_path)
    entry = source.stat("a.md")
    content = source.read("a.md", entry.version)
    assert (content.data, content.entry) == (b"one", entry)
    replace(tmp_path / "a.md", "two")
    with pytest.raises(SourceChanged):
        source.read("a.md", entry.version)
    assert source.read("a.md", source.stat("a.md").version).data == b"two"


def _rewrite(path: Path) -> None:
    path.write_bytes(b"two")


def _rewrite_and_hide_it(path: Path) -> None:
    status = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", [_rewrite, _rewrite_and_hide_it, lambda path: replace(path, "two")])
def test_every_change_makes_another_version(tmp_path: Path, change: object) -> None:
    assert callable(change)
    plant(tmp_path, {"a.md": "one"})
    source = directory(tmp_path)
    before = source.stat("a.md").version
    change(tmp_path / "a.md")
    assert source.stat("a.md").version != before


def test_a_large_document_is_read_whole(tmp_path: Path) -> None:
    data = os.urandom(1_000_003)
    plant(tmp_path, {"a.bin": data})
    source = directory(tmp_path)
    assert source.read("a.bin", source.stat("a.bin").version).data == data


def test_an_empty_document_is_read(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": ""})
    source = directory(tmp_path)
    assert source.read("a.md", source.stat("a.md").version).data == b""


def test_the_head_of_a_document_is_read_alone(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "0123456789"})
    assert directory(tmp_path).read_head("a.md", 4) == b"0123"
    assert directory(tmp_path).read_head("a.md", 40) == b"0123456789"


@pytest.mark.parametrize("path", ["none.md", "", "sub", "../outside.md", "link.md", "pipe.md", "a.md/x"])
def test_what_is_no_document_is_gone(tmp_path: Path, path: str) -> None:
    (tmp_path / "outside.md").write_text("secret")
    root = plant(tmp_path / "root", {"a.md": "x", "sub/b.md": "x"})
    (root / "link.md").symlink_to("../outside.md")
    os.mkfifo(root / "pipe.md")
    source = directory(root)
    with pytest.raises(SourceGone):
        source.stat(path)
    with pytest.raises(SourceGone):
        source.read(path, source.stat("a.md").version)
    with pytest.raises(SourceGone):
        source.read_head(path, 10)


def test_a_document_over_the_limit_is_a_problem_and_never_read(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "12345", "b.md": "1234"})
    generous = directory(tmp_path)
    version = generous.stat("a.md").version
    source = FilesystemSource(tmp_path, max_document_bytes=4)
    assert listed(source) == {"b.md"}
    assert problems(source) == {"a.md": "5 bytes, over the limit of 4"}
    for call in (lambda: source.stat("a.md"), lambda: source.read("a.md", version)):
        with pytest.raises(SourceError, match="over 4"):
            call()


def test_links_are_problems_unless_they_are_followed(tmp_path: Path) -> None:
    (tmp_path / "outside.md").write_text("secret")
    root = plant(tmp_path / "root", {"a.md": "x", "sub/b.md": "y"})
    (root / "in.md").symlink_to("a.md")
    (root / "out.md").symlink_to("../outside.md")
    (root / "broken.md").symlink_to("none.md")
    (root / "sub2").symlink_to("sub")
    source = directory(root)
    assert listed(source) == {"a.md", "sub/b.md"}
    assert set(problems(source)) == {"in.md", "out.md", "broken.md", "sub2"}
    assert "follow_links = true" in problems(source)["in.md"]
    following = directory(root, follow_links=True)
    assert listed(following) - {"sub/b.md", "sub2/b.md"} == {"a.md", "in.md"}
    assert len(listed(following)) == 3, "a directory with two names is listed once"
    assert set(problems(following)) == {"out.md", "broken.md"}
    assert following.read("in.md", following.stat("in.md").version).data == b"x"


def test_a_link_to_a_large_document_is_a_problem(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "12345"})
    (tmp_path / "in.md").symlink_to("a.md")
    source = FilesystemSource(tmp_path, max_document_bytes=4, follow_links=True)
    assert set(problems(source)) == {"a.md", "in.md"}


def test_a_directory_outside_is_not_listed_where_links_are_followed(tmp_path: Path) -> None:
    plant(tmp_path / "outside", {"secret.md": "secret"})
    root = plant(tmp_path / "root", {"a.md": "x"})
    (root / "out").symlink_to("../outside")
    source = directory(root, follow_links=True)
    assert listed(source) == {"a.md"}
    assert set(problems(source)) == {"out"}


def test_a_loop_of_directories_ends(tmp_path: Path) -> None:
    plant(tmp_path, {"a/b.md": "x"})
    (tmp_path / "a/again").symlink_to("..")
    assert listed(directory(tmp_path, follow_links=True)) == {"a/b.md"}


def test_a_tree_that_is_too_deep_is_a_problem(tmp_path: Path) -> None:
    deepest = "/".join(["d"] * MAX_DEPTH)
    plant(tmp_path, {f"{deepest}/a.md": "x", f"{deepest}/d/b.md": "x"})
    source = directory(tmp_path)
    assert listed(source) == {f"{deepest}/a.md"}
    assert set(problems(source)) == {f"{deepest}/d"}


def test_a_pipe_and_a_socket_are_passed_over(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "x"})
    os.mkfifo(tmp_path / "pipe.md")
    os.mknod(tmp_path / "socket.md", 0o600 | 0o140000)
    assert listed(directory(tmp_path)) == {"a.md"}


def test_a_root_that_was_swapped_is_listed_and_read(tmp_path: Path) -> None:
    root = plant(tmp_path / "root", {"a.md": "old"})
    source = directory(root)
    root.rename(tmp_path / "old")
    plant(root, {"b.md": "new"})
    assert listed(source) == {"b.md"}
    assert source.read("b.md", source.stat("b.md").version).data == b"new"


def test_a_root_that_is_gone_is_an_error_and_not_an_empty_listing(tmp_path: Path) -> None:
    root = plant(tmp_path / "root", {"a.md": "x"})
    source = directory(root)
    root.rename(tmp_path / "old")
    with pytest.raises(SourceError, match="cannot be listed"):
        source.list()


def test_an_ignore_file_that_is_a_directory_leaks_no_descriptor(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "x", ".choirbookignore/b": "x"})
    source = directory(tmp_path)
    before = open_descriptors()
    for _ in range(20):
        try:
            source.list()
        except SourceError:
            continue
    assert open_descriptors() == before


def test_a_source_lets_its_root_go(tmp_path: Path) -> None:
    before = open_descriptors()
    directory(tmp_path).close()
    assert open_descriptors() == before


def test_a_document_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """Both halves are of the size asked for; only looking again after the read shows the change."""
    path = tmp_path / "a.bin"
    size = 4 * 1024 * 1024
    plant(tmp_path, {"a.bin": b"0" * size})
    source = directory(tmp_path)
    done = threading.Event()

    def scribble() -> None:
        with path.open("r+b") as file:
            digit = 0
            while not done.is_set():
                digit = (digit + 1) % 10
                for at in (0, size - 1):
                    file.seek(at)
                    file.write(b"%d" % digit)
                    file.flush()

    writer = threading.Thread(target=scribble)
    writer.start()
    refused = 0
    try:
        while refused < 3:
            try:
                source.read("a.bin", source.stat("a.bin").version)
            except SourceChanged:
                refused += 1
    finally:
        done.set()
        writer.join()


def test_a_disk_error_is_an_error_of_the_source() -> None:
    """A process's memory is a file that cannot be read where nothing is: EIO without an ill disk."""
    source = directory(Path("/proc/self"))
    with pytest.raises(SourceError, match="Input/output error"):
        source.read("mem", source.stat("mem").version)
    with pytest.raises(SourceError, match="Input/output error"):
        source.read_head("mem", 10)


def test_a_socket_cannot_be_looked_at(tmp_path: Path) -> None:
    os.mknod(tmp_path / "socket.md", 0o600 | 0o140000)
    with pytest.raises(SourceError, match=r"socket\.md"):
        directory(tmp_path).stat("socket.md")


async def test_watching_tells_the_relative_paths_of_changes(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "x", "sub/b.md": "x"})
    seen: set[str] = set()
    async with asyncio.timeout(20), aclosing(directory(tmp_path).watch()) as changes:  # type: ignore[type-var]
        writing = asyncio.create_task(_write_until(tmp_path, seen, {"sub/b.md", "new.md"}))
        async for paths in changes:
            seen |= paths
            if seen >= {"sub/b.md", "new.md"}:
                break
        await writing
    assert all(not path.startswith("/") for path in seen)


async def _write_until(root: Path, seen: set[str], wanted: set[str]) -> None:
    """Write again until it is seen: when the watch begins cannot be known from outside."""
    number = 0
    while not seen >= wanted:
        number += 1
        for name in wanted:
            (root / name).write_text(str(number))
        await asyncio.sleep(0.05)
