"""Results of a report, each with the name and colour that it has all over the page. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from choirbook_perf.results import Result

COLOURS = 6


@dataclass(frozen=True, slots=True)
class Subject:
    """One result on the page."""

    index: int
    name: str
    result: Result

    @property
    def style(self) -> str:
        """CSS class of its colour."""
        return f"c{self.index % COLOURS}"


def subjects(results: Sequence[Result]) -> list[Subject]:
    """Name the results: by label, or by the time they started; a number distinguishes equal names."""
    names = [result.label or _time(result.started) for result in results]
    found = []
    for index, (name, result) in enumerate(zip(names, results, strict=True)):
        nth = names[: index + 1].count(name)
        found.append(Subject(index, f"{name} ({nth})" if names.count(name) > 1 else name, result))
    return found


def _time(started: str) -> str:
    """Format a time in UTC for people."""
    return started.replace("T", " ").removesuffix("Z").removesuffix("+00:00")
