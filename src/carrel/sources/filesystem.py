"""A directory as a source: list, stat, read and watch, never a byte from outside the root.

Blocking but for `watch`. Every way in goes through `Directory.open`. Knows nothing of URIs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from carrel.exhaustion import is_exhaustion
from carrel.model import (
    Content,
    SourceChanged,
    SourceEntry,
    SourceError,
    SourceExhausted,
    SourceGone,
    SourceProblem,
    Version,
)
from carrel.sources.beneath import Directory, is_regular
from carrel.sources.capturing import Capturing
from carrel.sources.ignoring import IGNORE_FILE, Ignore, ignore_from

MAX_DEPTH = 32
"""Directories below the root; deeper trees are a loop of links more often than a library."""

ROOT_CHECK_MS = 2000
"""Quiet time after which the watcher sees whether the root is still the one it watches."""

_CHUNK_BYTES = 256 * 1024

_Contents = list[Content]
_Entries = list[SourceEntry]
_Problems = list[SourceProblem]
_Directories = list[tuple[str, int]]
"""Paths still to be scanned, with their depth."""


class FilesystemSource:
    """The documents of one directory.

    Args:
        root: The directory.
        max_document_bytes: A longer file is listed as a problem and never read.
        follow_links: Serve files behind symbolic links that stay beneath the root.

        is_near: See `Source.is_near`.

    Raises:
        OSError: The root cannot be opened.
    """

    def __init__(
        self,
        root: Path,
        *,
        max_document_bytes: int,
        follow_links: bool = False,
        is_near: bool = True,
    ) -> None:
        self._root = root
        self.is_near = is_near
        self._max_document_bytes = max_document_bytes
        self._follow_links = follow_links
        self._directory = Directory(str(root), follow_links=follow_links)
        self._ignore = ignore_from(None)
        self._capturing = Capturing(self._open, self._entry, _read_all)

    def portable(self, version: Version) -> str:
        """See `Source.portable`: all but the inode, which some network file systems number host by host."""
        return version.partition(".")[2]

    def list(self) -> tuple[_Entries, _Problems]:
        """See `Source.list`."""
        try:
            self._directory.reopen_if_swapped()
            self._ignore = ignore_from(self._read_ignore_file())
            return self._walk(self._ignore)
        except OSError as error:
            raise _failure(error)(f"the library's root cannot be listed: {error}") from error

    def stat(self, path: str) -> SourceEntry:
        """See `Source.stat`."""
        descriptor = self._open(path)
        try:
            return self._entry(path, os.fstat(descriptor))
        finally:
            os.close(descriptor)

    def read(self, path: str, version: Version) -> Content:
        """See `Source.read`."""
        descriptor = self._open(path)
        try:
            before = self._entry(path, os.fstat(descriptor))
            if before.version != version:
                captured = self._capturing.get(path, version)
                if captured is not None:
                    return captured
                raise SourceChanged(f"{path}: is of version {before.version}, not {version}")
            data = _read_all(descriptor, before.size)
            after = self._entry(path, os.fstat(descriptor))
            # A writer that came between the two left its mark in size or times.
            if after.version != version or len(data) != after.size:
                raise SourceChanged(f"{path}: changed while it was read")
            return Content(data, after)
        except OSError as error:
            raise _failure(error)(f"{path}: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def read_head(self, path: str, size: int) -> bytes:
        """See `Source.read_head`."""
        descriptor = self._open(path)
        try:
            self._refuse_unserved(path, os.fstat(descriptor))
            return os.read(descriptor, size)
        except OSError as error:
            raise _failure(error)(f"{path}: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def capture(self, paths: Iterable[str], quiet_s: float) -> _Contents:
        """See `Source.capture`."""
        return self._capturing.capture(paths, quiet_s)

    def release(self, paths: Iterable[str]) -> None:
        """See `Source.release`."""
        self._capturing.release(paths)

    def close(self) -> None:
        """See `Source.close`."""
        self._directory.close()

    async def watch(self) -> AsyncIterator[set[str]]:
        """See `Source.watch`. Ends when the root's path leads to another directory than at the start."""
        from watchfiles import awatch

        root, watched = await asyncio.to_thread(_identify, self._root)
        # The debounce bounds how long a stream of events is gathered, the step how long a pause ends it.
        async for changes in awatch(
            root,
            watch_filter=None,
            debounce=100,
            step=20,
            rust_timeout=ROOT_CHECK_MS,
            yield_on_timeout=True,
        ):
            if not changes:
                # A root that was renamed away or replaced sends no more events, and no error either.
                if await asyncio.to_thread(_identify, self._root) != (root, watched):
                    return
                continue
            yield {path.removeprefix(root).strip(os.sep).replace(os.sep, "/") for _, path in changes}

    def _open(self, path: str) -> int:
        # Events name any file of the tree, so what a listing leaves out is refused here as well.
        if self._ignore(path, is_directory=False):
            raise SourceGone(f"{path}: hidden or ignored")
        try:
            return self._directory.open(path)
        except FileNotFoundError as error:
            raise SourceGone(f"{path}: no such document") from error
        except OSError as error:
            raise _failure(error)(f"{path}: {error.strerror}") from error

    def _entry(self, path: str, status: os.stat_result) -> SourceEntry:
        self._refuse_unserved(path, status)
        return entry_of(path, status)

    def _refuse_unserved(self, path: str, status: os.stat_result) -> None:
        if not is_regular(status):
            raise SourceGone(f"{path}: not a regular file")
        if status.st_size > self._max_document_bytes:
            raise SourceGone(f"{path}: {status.st_size} bytes, over {self._max_document_bytes}: not served")

    def _read_ignore_file(self) -> str | None:
        try:
            descriptor = self._directory.open(IGNORE_FILE)
        except FileNotFoundError:
            return None
        try:
            return os.read(descriptor, _CHUNK_BYTES).decode("utf-8", "replace")
        except IsADirectoryError:
            return None
        finally:
            os.close(descriptor)

    def _walk(self, ignore: Ignore) -> tuple[_Entries, _Problems]:
        entries: _Entries = []
        problems: _Problems = []
        todo: _Directories = [("", 0)]
        visited: set[tuple[int, int]] = set()
        while todo:
            directory, depth = todo.pop()
            if depth > MAX_DEPTH:
                problems.append(SourceProblem(directory, f"more than {MAX_DEPTH} directories deep"))
                continue
            try:
                descriptor = self._directory.open(directory)
            except OSError as error:
                # Without a descriptor nothing is known: what is below it is not gone.
                if directory and not is_exhaustion(error):
                    problems.append(SourceProblem(directory, error.strerror or str(error)))
                    continue
                raise
            try:
                status = os.fstat(descriptor)
                if (status.st_dev, status.st_ino) in visited:
                    continue
                visited.add((status.st_dev, status.st_ino))
                self._scan(descriptor, directory, ignore, entries, problems, todo, depth)
            finally:
                os.close(descriptor)
        return entries, problems

    def _scan(
        self,
        descriptor: int,
        directory: str,
        ignore: Ignore,
        entries: _Entries,
        problems: _Problems,
        todo: _Directories,
        depth: int,
    ) -> None:
        prefix = f"{directory}/" if directory else ""
        with os.scandir(descriptor) as children:
            for child in children:
                path = prefix + child.name
                try:
                    is_directory = child.is_dir(follow_symlinks=self._follow_links)
                    if ignore(path, is_directory=is_directory):
                        continue
                    if is_directory:
                        todo.append((path, depth + 1))
                    elif child.is_symlink():
                        self._scan_link(path, entries, problems)
                    elif child.is_file(follow_symlinks=False):
                        self._admit(path, child.stat(follow_symlinks=False), entries, problems)
                except OSError as error:
                    # The file went between the listing and the look at it.
                    if not isinstance(error, FileNotFoundError):
                        problems.append(SourceProblem(path, error.strerror or str(error)))

    def _scan_link(self, path: str, entries: _Entries, problems: _Problems) -> None:
        if not self._follow_links:
            problems.append(SourceProblem(path, "a symbolic link; set follow_links = true to serve it"))
            return
        try:
            entries.append(self.stat(path))
        except SourceGone:
            problems.append(SourceProblem(path, "a symbolic link that leads nowhere beneath the root"))
        except SourceExhausted:
            raise
        except SourceError as error:
            problems.append(SourceProblem(path, str(error)))

    def _admit(self, path: str, status: os.stat_result, entries: _Entries, problems: _Problems) -> None:
        if status.st_size > self._max_document_bytes:
            problems.append(
                SourceProblem(path, f"{status.st_size} bytes, over the limit of {self._max_document_bytes}")
            )
        else:
            entries.append(entry_of(path, status))


def _failure(error: OSError) -> type[SourceError]:
    return SourceExhausted if is_exhaustion(error) else SourceError


def entry_of(path: str, status: os.stat_result) -> SourceEntry:
    """Make an entry; its version changes with the file's inode, size, and either of its times."""
    version = f"{status.st_ino:x}.{status.st_size:x}.{status.st_mtime_ns:x}.{status.st_ctime_ns:x}"
    return SourceEntry(path, Version(version), status.st_size, status.st_mtime_ns)


def _identify(root: Path) -> tuple[str, tuple[int, int] | None]:
    """Return a directory's real path and its identity, None when there is none."""
    path = os.path.realpath(root)
    try:
        status = Path(path).stat()
    except OSError:
        return path, None
    return path, (status.st_dev, status.st_ino)


def _read_all(descriptor: int, size: int) -> bytes:
    chunks: list[bytes] = []
    remaining = size + 1
    while remaining > 0:
        chunk = os.read(descriptor, min(remaining, _CHUNK_BYTES))
        if not chunk:
            break
        chunks.append(chunk)
        remaining -= len(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
