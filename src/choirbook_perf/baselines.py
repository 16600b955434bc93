"""Store of runs to compare with later: `perf-baselines/NAME/MACHINE/TIME.json`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from choirbook_perf import results
from choirbook_perf.errors import BadInput
from choirbook_perf.results import Result

ROOT = Path("perf-baselines")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Kept(NamedTuple):
    """Runs of one name and machine."""

    name: str
    machine: str
    runs: int
    first: str
    """When the oldest run began, RFC 3339."""
    last: str


def save(name: str, runs: Sequence[Result]) -> list[Path]:
    """Keep runs under a name, beside those already there; return their files.

    Raises:
        BadInput: It is no name.
        OutputFailed: They cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} is no name for a baseline. Use letters, digits, dots, hyphens and underscores."
        )
    written = []
    for run in runs:
        stamp = re.sub(r"\W", "", run.started)
        path = ROOT / name / run.environment.machine / f"{stamp}.json"
        results.save(run, path)
        written.append(path)
    return written


def runs_of(name: str, machine: str = "") -> list[Path]:
    """Return the files of a baseline, the oldest run first; empty if there is none.

    Args:
        name: Name that they were saved under.
        machine: Machine that they were made on; any if "".
    """
    if not _NAME.fullmatch(name):
        return []
    return sorted((ROOT / name).glob(f"{machine or '*'}/*.json"), key=lambda path: path.name)


def listed() -> list[Kept]:
    """Return all baselines by name and machine."""
    found = []
    for directory in sorted(ROOT.glob("*/*/")):
        begun = sorted(results.load(path).started for path in directory.glob("*.json"))
        if begun:
            found.append(Kept(directory.parent.name, directory.name, len(begun), begun[0], begun[-1]))
    return found
