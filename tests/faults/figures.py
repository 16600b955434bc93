"""Figures of fault tests: compared with the promise's own number, and stored for `docs/reliability.md`."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[2]

RESULTS = ROOT / "fault-results"
"""Where each run leaves its figures; git does not take them."""

IS_WHOLE = os.environ.get("TESTS_FAULTS") == "whole"
"""Whether tests take the time that `task test:faults` gives them, or that of an ordinary run."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number that a test saw."""

    promise: int
    """Its number in `docs/reliability.md`."""
    fault: str
    measure: str
    seen: float
    at_most: float | None
    """The promise's number; None where there is none, and the figure is only told."""
    unit: str
    test: str
    """As pytest names it, from the root of the checkout."""
    is_whole: bool
    """Whether the test took its full time."""


class Figures:
    """The figures of one test.

    Args:
        test: As pytest names it.
        directory: Where they are kept.
    """

    def __init__(self, test: str, directory: Path = RESULTS) -> None:
        self._test = test
        self._path = directory / (test.replace("/", ".").replace("::", ".") + ".json")
        self._figures: list[Figure] = []

    def tell(
        self, promise: int, fault: str, measure: str, seen: float, unit: str, at_most: float | None = None
    ) -> None:
        """Keep a figure."""
        figure = Figure(
            promise=promise,
            fault=fault,
            measure=measure,
            seen=seen,
            at_most=at_most,
            unit=unit,
            test=self._test,
            is_whole=IS_WHOLE,
        )
        self._figures.append(figure)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_bytes(msgspec.json.format(msgspec.json.encode(self._figures), indent=1))

    def hold(
        self, promise: int, fault: str, measure: str, seen: float, unit: str, *, at_most: float, why: str = ""
    ) -> None:
        """Keep a figure, and fail where it breaks the promise.

        Args:
            promise: Its number.
            fault: What was injected.
            measure: What was counted or timed.
            seen: The figure.
            unit: Of the figure, such as "ms" or "requests".
            at_most: The promise's number.
            why: What to say beside the figure when it is broken.
        """
        self.tell(promise, fault, measure, seen, unit, at_most)
        assert seen <= at_most, f"promise {promise}, {fault}: {measure}: {seen:g} {unit} > {at_most:g}. {why}"


def read_all(directory: Path = RESULTS) -> list[Figure]:
    """Return what the tests of the last runs saw, by promise and fault."""
    found = [
        figure
        for path in directory.glob("*.json")
        for figure in msgspec.json.decode(path.read_bytes(), type=list[Figure])
    ]
    return sorted(found, key=lambda each: (each.promise, each.fault, each.measure))
