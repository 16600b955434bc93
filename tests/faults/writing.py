"""Writers that say when each version was whole, as fast and as careless as a test asks for."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.documents import compose
from tests.support import trees

Rewrite = Callable[[Path, bytes], float]
"""Writes content over a file, and returns the longest time that it stood still half written, in seconds."""


class Writer:
    """Versions that a writer has written so far.

    Args:
        root: Directory of the library.
        names: Names of the documents, which exist in version 1.
    """

    def __init__(self, root: Path, names: list[str]) -> None:
        self._root = root
        self.published_s: dict[str, dict[int, float]] = {name: {} for name in names}
        """When each version of each document was whole, on the monotonic clock."""
        self.paused_s: dict[tuple[str, int], float] = {}
        """For how long a version stood still half written, where it did."""

    @property
    def versions(self) -> int:
        """How many versions were written."""
        return sum(len(times) for times in self.published_s.values())

    def newest(self, name: str) -> int:
        """Return the version that a document has by now."""
        return max(self.published_s[name], default=1)

    def write(self, name: str, rewrite: Rewrite) -> None:
        """Write the next version of a document."""
        version = self.newest(name) + 1
        self.paused_s[name, version] = rewrite(self._root / f"{name}.md", compose(name, version))
        self.published_s[name][version] = time.monotonic()


def replaced(path: Path, content: bytes) -> float:
    """Put the content in the file's place in one step."""
    trees.replace(path, content)
    return 0.0


def torn(pause_s: float) -> Rewrite:
    """Return a rewrite in place: truncate, wait, write half, wait, write the rest."""

    def rewrite(path: Path, content: bytes) -> float:
        half = len(content) // 2
        begun_s = time.monotonic()
        with path.open("r+b", buffering=0) as file:
            file.truncate()
            time.sleep(pause_s * random.random())  # noqa: S311 - not a secret
            file.write(content[:half])
            half_s = time.monotonic()
            time.sleep(pause_s * random.random())  # noqa: S311 - not a secret
            file.write(content[half:])
        return max(half_s - begun_s, time.monotonic() - half_s)

    return rewrite


def emptied(pause_s: float) -> Rewrite:
    """Return a rewrite that leaves the file empty for a while."""

    def rewrite(path: Path, content: bytes) -> float:
        begun_s = time.monotonic()
        os.truncate(path, 0)
        time.sleep(pause_s)
        path.write_bytes(content)
        return time.monotonic() - begun_s

    return rewrite


@contextmanager
def writing(root: Path, names: list[str], rewrite: Rewrite, every_s: float) -> Iterator[Writer]:
    """Rewrite the documents in turns, on a thread, for as long as the context lasts."""
    writer, stop = Writer(root, names), threading.Event()

    def run() -> None:
        while True:
            for name in names:
                writer.write(name, rewrite)
                if stop.wait(every_s):
                    return

    thread = threading.Thread(target=run, name="writer")
    thread.start()
    try:
        yield writer
    finally:
        stop.set()
        thread.join()
