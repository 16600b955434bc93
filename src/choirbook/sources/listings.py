"""Listing of the documents of a directory tree. Blocking."""

from __future__ import annotations

import os
from collections.abc import Callable

from choirbook.model import SourceEntry, SourceError, SourceExhausted, SourceGone, SourceProblem, Version
from choirbook.runtime.exhaustion import is_exhaustion
from choirbook.sources.beneath import Directory
from choirbook.sources.ignore_files import IgnoreFiles
from choirbook.sources.ignore_rules import FORMER_IGNORE_FILE, IGNORE_FILE, ignores

MAX_DEPTH = 32
"""Maximum depth below the root; deeper trees are loops of links more often than libraries."""

_Entries = list[SourceEntry]
_Problems = list[SourceProblem]


class DocumentIgnored(SourceGone):
    """The document is hidden, or a `.choirbookignore` leaves it out."""


class Listing:
    """Lists one tree.

    Args:
        directory: The root.
        ignoring: The `.choirbookignore` files; each one is read again.
        stat: Creates the entry of a document behind a link; raises `SourceError`.
        follow_links: Whether links that stay beneath the root are followed.
        max_document_bytes: Maximum length; a longer file is a problem.
    """

    def __init__(
        self,
        directory: Directory,
        ignoring: IgnoreFiles,
        stat: Callable[[str], SourceEntry],
        *,
        follow_links: bool,
        max_document_bytes: int,
    ) -> None:
        self._directory = directory
        self._ignoring = ignoring
        self._stat = stat
        self._follow_links = follow_links
        self._max_document_bytes = max_document_bytes

    def make(self) -> tuple[_Entries, _Problems]:
        """Return the documents, and those that cannot be served.

        Raises:
            OSError: The root cannot be opened.
        """
        entries: _Entries = []
        problems: _Problems = []
        todo: list[tuple[str, int]] = [("", 0)]
        visited: set[tuple[int, int]] = set()
        while todo:
            directory, depth = todo.pop()
            if depth > MAX_DEPTH:
                problems.append(SourceProblem(directory, f"more than {MAX_DEPTH} directories deep"))
                continue
            try:
                descriptor = self._directory.open(directory)
            except OSError as error:
                # Without a descriptor nothing is known: the files below it are not gone.
                if directory and not is_exhaustion(error):
                    problems.append(SourceProblem(directory, error.strerror or str(error)))
                    continue
                raise
            try:
                status = os.fstat(descriptor)
                if (status.st_dev, status.st_ino) in visited:
                    continue
                visited.add((status.st_dev, status.st_ino))
                below = self._scan(descriptor, directory, entries, problems)
                todo += [(path, depth + 1) for path in below]
            finally:
                os.close(descriptor)
        return entries, problems

    def _scan(self, descriptor: int, directory: str, entries: _Entries, problems: _Problems) -> list[str]:
        """List one directory.

        Returns:
            Its subdirectories.
        """
        target = target_of(self._directory, descriptor, directory) if self._follow_links else None
        if target is not None and self._ignoring.leaves_out(target, is_directory=True):
            return []
        with os.scandir(descriptor) as scanned:
            children = list(scanned)
        is_present = any(child.name in {IGNORE_FILE, FORMER_IGNORE_FILE} for child in children)
        if not self._ignoring.enter(directory, is_present=is_present):
            problems.append(SourceProblem(directory or ".", f"its {IGNORE_FILE} cannot be used"))
            return []
        chain = self._ignoring.chain(directory)
        prefix = f"{directory}/" if directory else ""
        below = []
        for child in children:
            if child.name.startswith("."):
                continue
            path = prefix + child.name
            try:
                is_directory = child.is_dir(follow_symlinks=self._follow_links)
                if chain and ignores(chain, path, is_directory=is_directory):
                    continue
                if target is not None and self._is_target_ignored(target, child.name, is_directory):
                    continue
                if is_directory:
                    below.append(path)
                else:
                    self._take(child, path, entries, problems)
            except OSError as error:
                _note(error, path, problems)
        return below

    def _is_target_ignored(self, target: str, name: str, is_directory: bool) -> bool:  # noqa: FBT001
        return self._ignoring.leaves_out(f"{target}/{name}" if target else name, is_directory=is_directory)

    def _take(self, child: os.DirEntry[str], path: str, entries: _Entries, problems: _Problems) -> None:
        if child.is_symlink():
            self._take_link(path, entries, problems)
        elif child.is_file(follow_symlinks=False):
            status = child.stat(follow_symlinks=False)
            if status.st_size > self._max_document_bytes:
                reason = f"{status.st_size} bytes, over the limit of {self._max_document_bytes}"
                problems.append(SourceProblem(path, reason))
            else:
                entries.append(entry_of(path, status))

    def _take_link(self, path: str, entries: _Entries, problems: _Problems) -> None:
        if not self._follow_links:
            problems.append(SourceProblem(path, "a symbolic link; set follow_links = true to serve it"))
            return
        try:
            entries.append(self._stat(path))
        except DocumentIgnored:
            return
        except SourceGone:
            problems.append(SourceProblem(path, "a symbolic link that leads nowhere beneath the root"))
        except SourceExhausted:
            raise
        except SourceError as error:
            problems.append(SourceProblem(path, str(error)))


def _note(error: OSError, path: str, problems: _Problems) -> None:
    """Record an entry that cannot be examined."""
    # As above: the entry is not gone.
    if is_exhaustion(error):
        raise error
    # It was deleted between the listing and the look at it.
    if not isinstance(error, FileNotFoundError):
        problems.append(SourceProblem(path, error.strerror or str(error)))


def target_of(directory: Directory, descriptor: int, path: str) -> str | None:
    """Return the path that links led to, as in rules; None if there were none.

    Args:
        directory: The root.
        descriptor: Descriptor of the open file.
        path: Path that was opened.
    """
    real = directory.path_of(descriptor, path)
    if real == path:
        return None
    # Kubernetes mounts `a.md` as a link to `..2026_11_28/a.md`: rules apply to the former name.
    while real.startswith(".."):
        real = real.partition("/")[2]
    return real


def entry_of(path: str, status: os.stat_result) -> SourceEntry:
    """Create an entry; its version changes with the file's inode, size, and either of its times."""
    version = f"{status.st_ino:x}.{status.st_size:x}.{status.st_mtime_ns:x}.{status.st_ctime_ns:x}"
    return SourceEntry(path, Version(version), status.st_size, status.st_mtime_ns)
