"""Figures of the runs that are kept under `docs/performance/truth/`."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from choirbook_perf.environment import environment
from choirbook_perf.results import Environment
from tests.perf.truth.accuracy import Accuracy, Counts
from tests.perf.truth.apparatus import ROOT
from tests.perf.truth.knee import Knee
from tests.perf.truth.six import Case
from tests.perf.truth.turns import Turn

DIRECTORY = ROOT / "docs" / "performance" / "truth"


class Starved(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a generator that was kept from running."""

    how: str
    exit_code: int
    reasons: list[str]


class Six(msgspec.Struct, frozen=True, kw_only=True):
    """The six cases."""

    environment: Environment
    cases: list[Case]


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles beside the independent client's."""

    environment: Environment
    cases: list[Accuracy]


class Failures(msgspec.Struct, frozen=True, kw_only=True):
    """Counts beside the server's log."""

    environment: Environment
    cases: list[Counts]


class Starvation(msgspec.Struct, frozen=True, kw_only=True):
    """Runs of starved generators."""

    environment: Environment
    runs: list[Starved]


class Turns(msgspec.Struct, frozen=True, kw_only=True):
    """Runs in turns with wrk."""

    environment: Environment
    turns: list[Turn]


class Knees(msgspec.Struct, frozen=True, kw_only=True):
    """Knees of the queue."""

    environment: Environment
    knees: list[Knee]


Kept = TypeVar("Kept", Six, Latencies, Failures, Starvation, Turns, Knees)

PACKAGES = ("choirbook", "locust", "uvloop", "msgspec")


def here() -> Environment:
    """Describe this machine and checkout."""
    return environment(PACKAGES)


def save(name: str, kept: Six | Latencies | Failures | Starvation | Turns | Knees) -> None:
    """Keep figures."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    path_of(name).write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")


def load(name: str, kind: type[Kept]) -> Kept | None:
    """Return kept figures, None if there are none."""
    path = path_of(name)
    return msgspec.json.decode(path.read_bytes(), type=kind) if path.exists() else None


def path_of(name: str) -> Path:
    """Return the file of some figures."""
    return DIRECTORY / f"{name}.json"
