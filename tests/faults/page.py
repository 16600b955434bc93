"""Make `docs/reliability.md` of its template and the figures kept beside it.

Run as a program: `python -m tests.faults.page` makes the page anew, with `--keep` of what the tests saw last,
which replaces what was kept, with `--merge` what was kept of the same tests. In the template,
`{{ promise 4 }}` is the table of that promise, `{{ machine }}` where the tests ran, and `{{ deployment }}`
the table of `deployment.json`, which `scripts/bench --deployment --json` prints.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import gate
from benchmarks.deployment import LIMITS
from choirbook_perf.environment import environment
from choirbook_perf.results import Environment
from choirbook_perf.runbook.markdown import code, table
from tests.faults.figures import RESULTS, ROOT, Figure, read_all

PAGE = ROOT / "docs" / "reliability.md"
TEMPLATE = ROOT / "docs" / "reliability" / "reliability.template.md"
KEPT = ROOT / "docs" / "reliability" / "figures.json"

DEPLOYMENT = ROOT / "docs" / "reliability" / "deployment.json"

_NOTE = (
    "<!-- Made by `task faults:page` from reliability/reliability.template.md and the figures beside it. -->"
)
_DIRECTIVE = re.compile(r"\{\{ (promise (?P<number>\d+)|machine|deployment) \}\}")
_ROUND = 100
"""From here on, figures are told without fractions."""
_HEAD = ["fault", "measure", "value", "limit", "test"]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of the fault tests, and where those that were kept last were taken."""

    environment: Environment
    figures: list[Figure]


def render(template: str, kept: Kept) -> str:
    """Make the page.

    Raises:
        ValueError: The template asks for a promise without figures, or leaves one with figures out.
    """
    shown: set[int] = set()

    def made(found: re.Match[str]) -> str:
        if found[1] == "deployment":
            return _deployment(json.loads(DEPLOYMENT.read_bytes()))
        if found["number"] is None:
            return _machine(kept.environment)
        number = int(found["number"])
        shown.add(number)
        return _table(number, [figure for figure in kept.figures if figure.promise == number])

    page = _DIRECTIVE.sub(made, template)
    if left_out := {figure.promise for figure in kept.figures} - shown:
        raise ValueError(f"{TEMPLATE.name} has no table for promises {sorted(left_out)}: add one for each.")
    if "{{" in page:
        raise ValueError(
            f"{TEMPLATE.name} has a directive that nothing makes: {page[page.index('{{') :][:40]!r}"
        )
    return f"{_NOTE}\n\n{page}"


def keep(figures: Sequence[Figure]) -> None:
    """Keep figures in place of those that were kept before.

    Raises:
        ValueError: There are none.
    """
    if not figures:
        raise ValueError(f"{RESULTS.name} has no figures: run `task test:faults` first.")
    kept = Kept(environment=environment(("choirbook", "granian")), figures=list(figures))
    KEPT.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")


def merged(old: Sequence[Figure], new: Sequence[Figure]) -> list[Figure]:
    """Return the new figures, and the old ones of tests that have no new ones."""
    again = {figure.test for figure in new}
    figures = [*new, *(figure for figure in old if figure.test not in again)]
    return sorted(figures, key=lambda each: (each.promise, each.fault, each.measure))


def load(path: Path = KEPT) -> Kept:
    """Return what was kept."""
    return msgspec.json.decode(path.read_bytes(), type=Kept)


def _table(number: int, figures: Sequence[Figure]) -> str:
    if not figures:
        raise ValueError(f"{TEMPLATE.name} asks for promise {number}, and no test told a figure of it.")
    return table(_HEAD, [_row(figure) for figure in figures], texts=2)


def _row(figure: Figure) -> list[str]:
    file, _, name = figure.test.rpartition("::")
    fault = figure.fault if figure.is_whole else f"{figure.fault} (short run)"
    at_most = "" if figure.at_most is None else _spell(figure.at_most, figure.unit)
    return [fault, figure.measure, _spell(figure.seen, figure.unit), at_most, f"[{code(name)}](../{file})"]


def _spell(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= _ROUND or value == int(value) else f"{value:.2g} {unit}"


def _machine(seen: Environment) -> str:
    return f"{seen.cpu}, {seen.cores} cores, Linux {seen.kernel}, Python {seen.python}"


def _deployment(kept: dict[str, Any]) -> str:
    rows = []
    for case in kept["cases"]:
        for name, ratios in case["ratios"].items():
            (judged,) = gate.judge({name: ratios}, LIMITS[name])
            cost_us = statistics.median(run["cpu_us"] for run in case["samples"][name])
            spread = f"{judged.low:.2f} to {judged.high:.2f}"
            rows.append(
                [
                    case["case"],
                    name,
                    f"{cost_us:.1f} µs",
                    f"{judged.ratio:.2f}",
                    spread,
                    f"{LIMITS[name]:.2f}",
                ]
            )
    head = ["read", "served by", "CPU per read", "relative to one worker", "95 % interval", "limit"]
    seen = msgspec.convert(kept["environment"], Environment)
    return f"{table(head, rows, texts=2)}\n\nMedians of {kept['rounds']} rounds on {_machine(seen)}."


def main() -> None:
    """Make the page."""
    if "--keep" in sys.argv[1:]:
        keep(read_all())
    if "--merge" in sys.argv[1:]:
        keep(merged(load().figures, read_all()))
    PAGE.write_text(render(TEMPLATE.read_text("utf-8"), load()), "utf-8")


if __name__ == "__main__":
    main()
