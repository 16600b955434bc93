"""Captures of complete documents that are replaced again and again, and never settle.

Replacing a file does not change the old file: held open, it keeps its content. So the open file must be
quiet, not the path, and the content read from it is kept until the catalog has another version: by then its
path leads to a different file. Blocking.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from choirbook.model import Content, SourceEntry, SourceError, Version

MAX_CAPTURED = 32
"""Maximum number of documents captured at once: each holds a descriptor for the quiet time."""

MAX_CAPTURED_BYTES = 16 * 1024 * 1024
"""Maximum size of all captured content, in bytes; a document beyond it is accepted once it is quiet, like
others."""


class Captures:
    """Captured documents, by path.

    Args:
        open_: Opens a path of the source; raises `SourceError`.
        entry: Creates the entry of an open file; raises `SourceError`.
        read: Reads a file of so many bytes, and one more if there is one.
    """

    def __init__(
        self,
        open_: Callable[[str], int],
        entry: Callable[[str, os.stat_result], SourceEntry],
        read: Callable[[int, int], bytes],
    ) -> None:
        self._open = open_
        self._entry = entry
        self._read = read
        self._kept: dict[str, Content] = {}

    def get(self, path: str, version: Version) -> Content | None:
        """Return the captured content of exactly this version."""
        kept = self._kept.get(path)
        return kept if kept is not None and kept.entry.version == version else None

    def capture(self, paths: Iterable[str], quiet_s: float) -> list[Content]:
        """Open files, and keep the complete content of those that were replaced and not written meanwhile.

        Args:
            paths: At most `MAX_CAPTURED` of them are captured.
            quiet_s: Time without writes, in seconds; the call takes as long.
        """
        opened: dict[int, SourceEntry] = {}
        try:
            for path in list(paths)[:MAX_CAPTURED]:
                try:
                    descriptor = self._open(path)
                except SourceError:
                    continue
                opened[descriptor] = _NO_ENTRY
                try:
                    opened[descriptor] = self._entry(path, os.fstat(descriptor))
                except SourceError:
                    continue
            time.sleep(quiet_s)
            found = [self._whole(descriptor, entry) for descriptor, entry in opened.items()]
        finally:
            for descriptor in opened:
                os.close(descriptor)
        captured = [content for content in found if content is not None]
        return [content for content in captured if self._keep(content)]

    def release(self, paths: Iterable[str]) -> None:
        """Drop the captured content of documents that can now be read at their paths."""
        for path in paths:
            self._kept.pop(path, None)

    def _whole(self, descriptor: int, entry: SourceEntry) -> Content | None:
        """Return the content of an open file, if nobody wrote to it since the entry was made."""
        # An empty file is more often about to be written than meant to be empty, and for longer than its
        # quiet time. A file that has not been replaced needs no capturing: it is quiet, or being written.
        if entry.size == 0 or self._has_place(descriptor, entry.path):
            return None
        try:
            if not _is_unwritten(descriptor, entry):
                return None
            data = self._read(descriptor, entry.size)
            is_whole = len(data) == entry.size and _is_unwritten(descriptor, entry)
        except OSError:
            return None
        return Content(data, entry) if is_whole else None

    def _has_place(self, descriptor: int, path: str) -> bool:
        """Return whether a path still leads to an open file, or nowhere; its inode is not reused yet."""
        try:
            there = self._open(path)
        except SourceError:
            return True
        try:
            return os.path.samestat(os.fstat(there), os.fstat(descriptor))
        finally:
            os.close(there)

    def _keep(self, content: Content) -> bool:
        path = content.entry.path
        others = sum(len(kept.data) for other, kept in self._kept.items() if other != path)
        if others + len(content.data) > MAX_CAPTURED_BYTES:
            return False
        self._kept[path] = content
        return True


_NO_ENTRY = SourceEntry("", Version(""), 0, 0)


def _is_unwritten(descriptor: int, entry: SourceEntry) -> bool:
    """Compare what a writer changes; the inode's change time also changes when it loses its name."""
    status = os.fstat(descriptor)
    return (status.st_size, status.st_mtime_ns) == (entry.size, entry.modified_ns)
