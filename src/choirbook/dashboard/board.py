"""What the workers of one server tell each other for the dashboard, while somebody looks at it.

Each worker pins up a report of its own: a file in the directory that they share, replaced as a whole. A file
`looked` says when a page was open last, in any of them. All calls block: run them on a thread.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from time import time

import msgspec

from choirbook.dashboard.slowest import SlowRead

STALE_AFTER_S = 20.0
"""Age of a report from which its worker is taken for gone, or for one that has not seen the look yet."""

_LOOKED = "dashboard-looked"
_REPORT = "dashboard-report-"


class Held(msgspec.Struct, frozen=True, array_like=True):
    """A document that a worker has in memory."""

    uri: str
    forms: int
    size_bytes: int


class Report(msgspec.Struct, frozen=True):
    """What one worker alone knows."""

    slowest: tuple[SlowRead, ...] = ()
    watched: dict[str, int] = {}
    """URI -> streams that watch it."""
    held: tuple[Held, ...] = ()
    """In memory, the last used first; the first ones only."""


class Board:
    """Where reports are pinned up.

    Args:
        directory: Shared by this server's workers alone; None where there is one process only.
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
        """Say that somebody looks now."""
        if self._directory is not None:
            with suppress(OSError):
                (self._directory / _LOOKED).touch()

    def looked_s_ago(self) -> float | None:
        """Return how long ago somebody looked, in seconds; None for never."""
        if self._directory is None:
            return None
        try:
            return abs(time() - (self._directory / _LOOKED).stat().st_mtime)
        except OSError:
            return None

    def publish(self, report: Report) -> None:
        """Pin up this worker's report in place of its last one."""
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
            # A worker that was replaced leaves its report behind.
            with suppress(OSError, msgspec.DecodeError):
                if path.name != own and abs(time() - path.stat().st_mtime) < STALE_AFTER_S:
                    found.append(self._decode(path.read_bytes()))
        return found
