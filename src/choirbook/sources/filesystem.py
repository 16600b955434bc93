"""Directory as a source: list, stat, read and watch, never a byte from outside the root.

Blocking, except for `watch`. Every access goes through `Directory.open`. Independent of URIs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from choirbook.model import (
    Content,
    SourceChanged,
    SourceEntry,
    SourceError,
    SourceExhausted,
    SourceGone,
    SourceMisruled,
    SourceProblem,
    Version,
)
from choirbook.runtime.exhaustion import is_exhaustion
from choirbook.sources.beneath import Directory, is_regular
from choirbook.sources.captures import Captures
from choirbook.sources.ignore_files import IgnoreFiles
from choirbook.sources.ignore_rules import is_hidden
from choirbook.sources.listings import DocumentIgnored, Listing, entry_of, target_of

ROOT_CHECK_MS = 2000
"""Quiet time in ms after which the watcher checks whether the root is still the directory that it watches."""

_CHUNK_BYTES = 256 * 1024

_Contents = list[Content]
_Entries = list[SourceEntry]
_Problems = list[SourceProblem]


class FilesystemSource:
    """Documents of one directory.

    Args:
        root: Path of the directory.
        max_document_bytes: Maximum length; a longer file is listed as a problem and never read.
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
        self._ignoring = IgnoreFiles(str(root), self._directory)
        self._listing = Listing(
            self._directory,
            self._ignoring,
            self.stat,
            follow_links=follow_links,
            max_document_bytes=max_document_bytes,
        )
        self._was_listed = False
        self._captures = Captures(self._open, self._entry, _read_all)

    def portable(self, version: Version) -> str:
        """See `Source.portable`: all but the inode, which differs by host on some network file systems."""
        return version.partition(".")[2]

    def list(self) -> tuple[_Entries, _Problems]:
        """See `Source.list`."""
        try:
            self._directory.reopen_if_swapped()
            self._ignoring.begin()
            found = self._listing.make()
        except OSError as error:
            raise _failure(error)(f"the library's root cannot be listed: {error}") from error
        if not self._was_listed and self.rule_faults:
            # There are no previous rules to continue with, and startup is the moment to correct them.
            raise SourceMisruled(self.rule_faults[0])
        self._ignoring.end()
        self._was_listed = True
        return found

    @property
    def rule_faults(self) -> tuple[str, ...]:
        """See `Source.rule_faults`."""
        return self._ignoring.faults

    @property
    def due_s(self) -> float:
        """See `Source.due_s`."""
        return self._ignoring.due_s

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
                captured = self._captures.get(path, version)
                if captured is not None:
                    return captured
                raise SourceChanged(f"{path}: is of version {before.version}, not {version}")
            data = _read_all(descriptor, before.size)
            after = self._entry(path, os.fstat(descriptor))
            # A write between the two has changed the size or a time.
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
        return self._captures.capture(paths, quiet_s)

    def release(self, paths: Iterable[str]) -> None:
        """See `Source.release`."""
        self._captures.release(paths)

    def close(self) -> None:
        """See `Source.close`."""
        self._directory.close()

    async def watch(self) -> AsyncIterator[set[str]]:
        """See `Source.watch`. Ends when the root's path leads to a different directory than at the start."""
        from watchfiles import awatch

        root, watched = await asyncio.to_thread(_identify, self._root)
        # The debounce limits how long a stream of events is collected, the step is the pause that ends it.
        async for changes in awatch(
            root,
            watch_filter=None,
            debounce=100,
            step=20,
            rust_timeout=ROOT_CHECK_MS,
            yield_on_timeout=True,
        ):
            if not changes:
                # A root that was renamed or replaced sends no more events, and no error either.
                if await asyncio.to_thread(_identify, self._root) != (root, watched):
                    return
                continue
            yield {path.removeprefix(root).strip(os.sep).replace(os.sep, "/") for _, path in changes}

    def _open(self, path: str) -> int:
        # Events name any file of the tree, so files that a listing omits are rejected here as well.
        try:
            if "\0" in path or is_hidden(path) or self._ignoring.leaves_out(path):
                raise DocumentIgnored(f"{path!r}: hidden or ignored")
            descriptor = self._directory.open(path)
        except FileNotFoundError as error:
            raise SourceGone(f"{path}: no such document") from error
        except OSError as error:
            raise _failure(error)(f"{path}: {error.strerror}") from error
        if self._follow_links:
            try:
                self._refuse_ignored_target(descriptor, path)
            except BaseException:
                os.close(descriptor)
                raise
        return descriptor

    def _refuse_ignored_target(self, descriptor: int, path: str) -> None:
        try:
            target = target_of(self._directory, descriptor, path)
            if target is not None and self._ignoring.leaves_out(target):
                raise DocumentIgnored(f"{path}: a link to an ignored document")
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


def _failure(error: OSError) -> type[SourceError]:
    return SourceExhausted if is_exhaustion(error) else SourceError


def _identify(root: Path) -> tuple[str, tuple[int, int] | None]:
    """Return a directory's real path and its identity, None if there is none."""
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
