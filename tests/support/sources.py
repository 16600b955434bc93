"""Sources of a directory that count what they do, and fail when told to."""

import threading
from pathlib import Path

from choirbook.model import Content, SourceEntry, SourceError, SourceGone, SourceProblem, Version
from choirbook.sources.filesystem import FilesystemSource

MIB = 1024 * 1024


def directory(root: Path, *, follow_links: bool = False) -> FilesystemSource:
    """Return the plain source of a directory."""
    return FilesystemSource(root, max_document_bytes=8 * MIB, follow_links=follow_links)


class CountingSource(FilesystemSource):
    """Counts reads and looks."""

    def __init__(self, root: Path, max_document_bytes: int = 8 * MIB, *, is_near: bool = True) -> None:
        super().__init__(root, max_document_bytes=max_document_bytes, is_near=is_near)
        self.reads = 0
        self.heads = 0
        self.stats = 0
        self._counting = threading.Lock()

    def read(self, path: str, version: Version) -> Content:
        with self._counting:
            self.reads += 1
        return super().read(path, version)

    def read_head(self, path: str, size: int) -> bytes:
        with self._counting:
            self.heads += 1
        return super().read_head(path, size)

    def stat(self, path: str) -> SourceEntry:
        with self._counting:
            self.stats += 1
        return super().stat(path)


class FailingSource(CountingSource):
    """Cannot read while `error` is set, as a disk that is ill."""

    error: SourceError | None = None
    fails_list = False

    def read(self, path: str, version: Version) -> Content:
        content = super().read(path, version)
        if self.error is not None:
            raise self.error
        return content

    def list(self) -> tuple[list[SourceEntry], list[SourceProblem]]:
        if self.fails_list:
            raise SourceError("the library's root cannot be listed: Input/output error")
        return super().list()


class SlowSource(CountingSource):
    """Reads that wait until they are let go."""

    def __init__(self, root: Path, *, is_near: bool = True) -> None:
        super().__init__(root, is_near=is_near)
        self.gate = threading.Event()

    def read(self, path: str, version: Version) -> Content:
        content = super().read(path, version)
        assert self.gate.wait(30), "the test never opened the gate"
        return content


EIO = SourceError("sdlc-core.md: Input/output error")
GONE = SourceGone("sdlc-core.md: no such document")
