"""Keep a copy of the checkout in which bugs are planted: never is the checkout itself touched."""

from __future__ import annotations

import compileall
import fcntl
import os
import py_compile
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LINKED = (".venv", "tests/node/node_modules")
"""Paths that are not in git but needed by tests, and in which no bug is planted."""


class Tree:
    """A copy of a checkout."""

    def __init__(self, root: Path, original: Path) -> None:
        self.root = root
        self._original = original

    def synchronize(self) -> None:
        """Make the copy equal to the files that git tracks or would track, and compile its modules."""
        names = set(_project_files(self._original))
        for name in names:
            _copy(self._original / name, self.root / name)
        for name in _stale_files(self.root, names):
            (self.root / name).unlink()
        for name in _LINKED:
            _link(self._original / name, self.root / name)
        # Two mutants may have the same size and be written within a second: only a hash tells them apart.
        compileall.compile_dir(
            str(self.root / "src"), quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH
        )

    @contextmanager
    def planted(self, module: str, source: bytes) -> Iterator[None]:
        """Replace a module for as long as the context lasts."""
        path = self.root / module
        original = path.read_bytes()
        path.write_bytes(source)
        try:
            yield
        finally:
            path.write_bytes(original)


@contextmanager
def claimed(cache: Path, original: Path) -> Iterator[Tree]:
    """Claim the first copy that no other run of this program uses."""
    for number in range(64):
        root = cache / f"tree-{number}"
        root.mkdir(parents=True, exist_ok=True)
        lock = os.open(cache / f"tree-{number}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            tree = Tree(root, original)
            tree.synchronize()
            yield tree
        finally:
            os.close(lock)
        return
    raise RuntimeError(f"64 copies under {cache} are in use: end other runs of this program.")


def _project_files(root: Path) -> list[str]:
    command = ["git", "-c", f"safe.directory={root}", "ls-files", "-z", "--cached", "--others"]
    done = subprocess.run(
        [*command, "--exclude-standard"], cwd=root, check=True, capture_output=True, text=True
    )
    return [name for name in done.stdout.split("\0") if name and (root / name).is_file()]


def _copy(source: Path, target: Path) -> None:
    if target.is_file() and not target.is_symlink() and target.read_bytes() == source.read_bytes():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _stale_files(root: Path, names: set[str]) -> Iterator[str]:
    """Yield the Python files and test data that the checkout no longer has."""
    for directory in ("src", "tests"):
        for path in (root / directory).rglob("*"):
            name = str(path.relative_to(root))
            if (
                path.is_file()
                and name not in names
                and "__pycache__" not in name
                and "node_modules" not in name
            ):
                yield name


def _link(source: Path, target: Path) -> None:
    if source.exists() and not target.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source)
