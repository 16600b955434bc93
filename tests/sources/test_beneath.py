import errno
import gc
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from choirbook.sources.beneath import Directory, is_regular
from tests.support.collecting import no_collector
from tests.support.descriptors import open_descriptors
from tests.support.forbidding import run_without_openat2
from tests.support.renaming import exchange

SECRET = b"the secret of another directory"
PUBLIC = b"what everybody may read"
RACE_S = 1.0

WAYS = {"openat2": True, "walking": False}


@pytest.fixture(params=list(WAYS.values()), ids=list(WAYS))
def use_openat2(request: pytest.FixtureRequest) -> bool:
    """Both ways of opening: the system call, and the walk where it is forbidden."""
    way: bool = request.param
    return way


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret.md").write_bytes(SECRET)
    root = tmp_path / "root"
    (root / "deep/er").mkdir(parents=True)
    (root / "a.md").write_bytes(PUBLIC)
    (root / "deep/er/b.md").write_bytes(PUBLIC)
    return root


@pytest.fixture
def directory(root: Path, use_openat2: bool) -> Iterator[Directory]:  # noqa: FBT001
    held = Directory(str(root), use_openat2=use_openat2)
    yield held
    held.close()


@pytest.fixture
def following(root: Path) -> Iterator[Directory]:
    held = Directory(str(root), follow_links=True)
    yield held
    held.close()


def read(directory: Directory, path: str) -> bytes:
    descriptor = directory.open(path)
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def test_a_file_beneath_the_root_is_opened(directory: Directory) -> None:
    assert read(directory, "a.md") == PUBLIC
    assert read(directory, "deep/er/b.md") == PUBLIC


def test_directories_and_the_root_itself_are_opened(directory: Directory) -> None:
    for path, names in (("", {"a.md", "deep"}), ("deep", {"er"})):
        descriptor = directory.open(path)
        assert set(os.listdir(descriptor)) == names  # noqa: PTH208 - of a descriptor
        os.close(descriptor)


OUTSIDE = ["../outside/secret.md", "deep/../../outside/secret.md", "..", "deep/er/../../../outside/secret.md"]


@pytest.mark.parametrize("path", [*OUTSIDE, "none.md", "none/a.md", "a.md/b", "a" * 300, "x/" * 3000])
def test_what_is_not_there_or_not_beneath_is_one_and_the_same_error(directory: Directory, path: str) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        directory.open(path)
    assert caught.value.errno == errno.ENOENT
    assert caught.value.strerror == "no such document"


def test_an_absolute_path_never_leads_out(directory: Directory, root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        directory.open(str(root.parent / "outside/secret.md"))


@pytest.mark.parametrize("target", ["{out}/secret.md", "../outside/secret.md", "a.md", "loop.md", "none.md"])
def test_no_link_is_followed(directory: Directory, root: Path, target: str) -> None:
    (root / "loop.md").symlink_to(target.format(out=root.parent / "outside"))
    with pytest.raises(FileNotFoundError):
        directory.open("loop.md")


@pytest.mark.parametrize("target", ["{out}", "../outside", "deep/er"])
def test_no_link_to_a_directory_is_followed(directory: Directory, root: Path, target: str) -> None:
    (root / "link").symlink_to(target.format(out=root.parent / "outside"))
    for path in ("link", "link/secret.md", "link/b.md"):
        with pytest.raises(FileNotFoundError):
            directory.open(path)


def test_a_link_beneath_the_root_is_followed_when_allowed(following: Directory, root: Path) -> None:
    (root / "..2024_01").mkdir()
    (root / "..2024_01/c.md").write_bytes(PUBLIC)
    (root / "..data").symlink_to("..2024_01")
    (root / "c.md").symlink_to("..data/c.md")
    (root / "deep/up.md").symlink_to("../a.md")
    assert read(following, "c.md") == PUBLIC
    assert read(following, "deep/up.md") == PUBLIC


@pytest.mark.parametrize("target", ["{out}/secret.md", "../outside/secret.md", "out/secret.md", "loop.md"])
def test_a_link_out_of_the_root_is_not_followed_even_then(
    following: Directory, root: Path, target: str
) -> None:
    (root / "out").symlink_to("../outside")
    (root / "loop.md").symlink_to(target.format(out=root.parent / "outside"))
    with pytest.raises(FileNotFoundError):
        following.open("loop.md")


@pytest.mark.parametrize("follow_links", [True, False])
def test_a_magic_link_is_not_followed(root: Path, follow_links: bool) -> None:  # noqa: FBT001
    """Beneath /proc/self, `fd/N` leads to whatever a descriptor has open, without a path."""
    opened = os.open(root.parent / "outside/secret.md", os.O_RDONLY)
    held = Directory("/proc/self", follow_links=follow_links)
    try:
        for path in (f"fd/{opened}", "root/etc/hostname", "cwd", "exe"):
            with pytest.raises(FileNotFoundError):
                held.open(path)
    finally:
        os.close(opened)
        held.close()


def test_a_pipe_does_not_hang_the_open(directory: Directory, root: Path) -> None:
    os.mkfifo(root / "pipe.md")
    descriptor = directory.open("pipe.md")
    assert not is_regular(os.fstat(descriptor))
    os.close(descriptor)


def test_a_socket_is_an_error_of_its_own(directory: Directory, root: Path) -> None:
    os.mknod(root / "socket.md", 0o600 | 0o140000)
    with pytest.raises(OSError, match=r"socket\.md") as caught:
        directory.open("socket.md")
    assert caught.value.errno == errno.ENXIO


def test_a_root_that_is_not_there_cannot_be_held(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Directory(str(tmp_path / "none"))


def test_the_better_way_is_found_by_itself(root: Path) -> None:
    held = Directory(str(root))
    assert read(held, "a.md") == PUBLIC
    held.close()


OPENING = """
import os, sys
from choirbook.sources.beneath import Directory
held = Directory(sys.argv[1])
print(os.read(held.open("deep/er/b.md"), 100).decode())
for path in ("../outside/secret.md", "link.md", "none.md"):
    try:
        held.open(path)
    except FileNotFoundError:
        print("not found")
"""


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_where_the_kernel_forbids_the_better_way_the_path_is_walked(root: Path, error: str) -> None:
    (root / "link.md").symlink_to("../outside/secret.md")
    printed = run_without_openat2(OPENING, str(root), error=error)
    assert printed.splitlines() == [PUBLIC.decode(), "not found", "not found", "not found"]


def test_descriptors_do_not_leak(directory: Directory, root: Path) -> None:
    (root / "link.md").symlink_to("a.md")
    before = open_descriptors()
    for path in ["none.md", "deep/none/x.md", "link.md", "../x", "a.md/b"] * 20:
        with pytest.raises(FileNotFoundError):
            directory.open(path)
    assert open_descriptors() == before


def test_a_root_that_was_swapped_is_opened_anew(directory: Directory, root: Path) -> None:
    assert not directory.reopen_if_swapped()
    root.rename(root.with_name("old"))
    root.mkdir()
    (root / "a.md").write_bytes(b"new")
    assert read(directory, "a.md") == PUBLIC
    assert directory.reopen_if_swapped()
    assert read(directory, "a.md") == b"new"
    assert not directory.reopen_if_swapped()


def test_a_root_that_is_gone_says_so(directory: Directory, root: Path) -> None:
    root.rename(root.with_name("old"))
    with pytest.raises(FileNotFoundError):
        directory.reopen_if_swapped()


def _swap_until(done: threading.Event, one: Path, other: Path) -> None:
    while not done.is_set():
        exchange(one, other)


def _race(directory: Directory, path: str, one: Path, other: Path) -> set[bytes]:
    """Read a path again and again while two names are swapped; return all that was read."""
    done = threading.Event()
    swapper = threading.Thread(target=_swap_until, args=(done, one, other))
    swapper.start()
    found: set[bytes] = set()
    end_s = time.monotonic() + RACE_S
    try:
        while time.monotonic() < end_s:
            try:
                found.add(read(directory, path))
            except FileNotFoundError:
                found.add(b"")
    finally:
        done.set()
        swapper.join()
    return found


def test_a_link_swapped_for_a_file_never_shows_the_secret(directory: Directory, root: Path) -> None:
    (root / "link.md").symlink_to("../outside/secret.md")
    found = _race(directory, "a.md", root / "a.md", root / "link.md")
    assert found == {PUBLIC, b""}


def test_a_link_swapped_for_a_directory_never_shows_the_secret(directory: Directory, root: Path) -> None:
    (root / "deep/secret.md").write_bytes(PUBLIC)
    (root / "link").symlink_to("../outside")
    found = _race(directory, "deep/secret.md", root / "deep", root / "link")
    assert found == {PUBLIC, b""}


def test_a_link_out_never_shows_the_secret_where_links_are_followed(following: Directory, root: Path) -> None:
    (root / "link.md").symlink_to("../outside/secret.md")
    found = _race(following, "a.md", root / "a.md", root / "link.md")
    assert found == {PUBLIC, b""}


def test_a_root_that_is_opened_and_closed_leaves_nothing_to_the_collector(root: Path) -> None:
    """Scans do so every few seconds, to look for rules."""
    with no_collector():
        for _ in range(10):
            Directory(str(root)).close()
        assert gc.collect() == 0
