"""Reports that the workers of one server exchange for the dashboard, while somebody looks at it.

Each worker publishes its report as a file in the directory that they share, replaced as a whole. The
modification time of a file `looked` tells when a page was open last, in any of them. All calls block: run
them on a thread.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from time import time

import msgspec

from choirbook.dashboard.slowest import SlowRead

STALE_AFTER_S = 20.0
"""Age of a report in seconds from which its worker counts as gone, or as not having seen the look yet."""

_LOOKED = "dashboard-looked"
_REPORT = "dashboard-report-"


class Held(msgspec.Struct, frozen=True, array_like=True):
    """A document in the memory of a worker."""

    uri: str
    forms: int
    size_bytes: int


class Report(msgspec.Struct, frozen=True):
    """Data that only one worker knows."""

    slowest: tuple[SlowRead, ...] = ()
    watched: dict[str, int] = {}
    """URI -> streams that watch it."""
    held: tuple[Held, ...] = ()
    """Documents in memory, the most recently used first; only the first ones."""


class Board:
    """Exchange of reports.

    Args:
        directory: Shared by this server's workers only; None if there is one process only.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Report).decode

    @property
    def is_shared(self) -> bool:
        """Whether there are other workers."""
        return self._directory is not None

    def note_look(self) -> None:
        """Record that somebody looks now."""
        if self._directory is not None:
            with suppress(OSError):
                (self._directory / _LOOKED).touch()

    def looked_s_ago(self) -> float | None:
        """Return the time since somebody looked, in seconds; None for never."""
        if self._directory is None:
            return None
        try:
            return abs(time() - (self._directory / _LOOKED).stat().st_mtime)
        except OSError:
            return None

    def publish(self, report: Report) -> None:
        """Publish this worker's report, replacing its last one."""
        if self._directory is None:
            return
        name = f"{_REPORT}{os.getpid()}"
        unfinished = self._directory / f".{name}"
        with suppress(OSError):
            unfinished.write_bytes(self._encode(report))
            unfinished.replace(self._directory / name)

    def others(self) -> list[Report]:
        """Return the reports of the other workers."""
        if self._directory is None:
            return []
        own = f"{_REPORT}{os.getpid()}"
        found = []
        for path in sorted(self._directory.glob(f"{_REPORT}*")):
            # A replaced worker leaves its report behind.
            with suppress(OSError, msgspec.DecodeError):
                if path.name != own and abs(time() - path.stat().st_mtime) < STALE_AFTER_S:
                    found.append(self._decode(path.read_bytes()))
        return found
