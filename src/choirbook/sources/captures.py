"""Have a document whole that is replaced again and again, before it is ever quiet.

What takes a file's place does not change the file: held open, it is what it was. So it is the open file
that has to be quiet, not the path, and what was read of it is kept until the catalog knows of another
version: by then its path leads to a different file. Blocking.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from choirbook.model import Content, SourceEntry, SourceError, Version

MAX_CAPTURED = 32
"""Documents captured at once: each holds a descriptor for the quiet time."""

MAX_CAPTURED_BYTES = 16 * 1024 * 1024
"""Of all that is kept; a document beyond it is believed once it is quiet, as others are."""


class Capturing:
    """What was captured, by path.

    Args:
        open_: Opens a path of the source; raises `SourceError`.
        entry: Makes the entry of an open file; raises `SourceError`.
        read: Reads a file of so many bytes, and one more where there is one.
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
        """Return what was captured of exactly this version."""
        kept = self._kept.get(path)
        return kept if kept is not None and kept.entry.version == version else None

    def capture(self, paths: Iterable[str], quiet_s: float) -> list[Content]:
        """Open files, and keep those whole that were replaced and not written to meanwhile.

        Args:
            paths: The first `MAX_CAPTURED` count.
            quiet_s: For how long, in seconds; the call takes as long.
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
        """Forget what was captured of some documents, which their paths lead to now."""
        for path in paths:
            self._kept.pop(path, None)

    def _whole(self, descriptor: int, entry: SourceEntry) -> Content | None:
        """Return the content of an open file, if nobody wrote to it since the entry was made."""
        # An empty file is being written more often than it is meant so, and for longer than it is quiet.
        # One that still has its place needs no capturing: it is quiet, or written to.
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
        """Tell whether a path still leads to an open file, or nowhere; no other has its inode meanwhile."""
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
    """Compare what a writer changes; the time of the inode changes with the name it loses, too."""
    status = os.fstat(descriptor)
    return (status.st_size, status.st_mtime_ns) == (entry.size, entry.modified_ns)
