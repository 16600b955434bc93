"""Make `docs/performance/truth.md` from its template and the figures kept beside it.

In the template, `{{ NAME }}` is the table of the figures of that name, see `TABLES`.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable

from choirbook_perf.results import Environment
from choirbook_perf.runbook.markdown import code, table
from tests.perf.truth import kept, knee, turns
from tests.perf.truth.kept import DIRECTORY
from tests.perf.truth.six import Case, Told

PAGE = DIRECTORY.parent / "truth.md"
TEMPLATE = DIRECTORY / "truth.template.md"
NOTE = "<!-- Made by `task perf:truth -- page` from truth/truth.template.md and the figures beside it. -->"
_DIRECTIVE = re.compile(r"\{\{ ([\w-]+) \}\}")


def render(template: str) -> str:
    """Make the page.

    Raises:
        KeyError: The template asks for a table that does not exist.
    """
    return f"{NOTE}\n\n{_DIRECTIVE.sub(lambda found: TABLES[found[1]](), template)}"


def _six(name: str, command: str) -> str:
    found = kept.load(name, kept.Six)
    if found is None:
        return _missing(command)
    rows = [row for case in found.cases for row in _rows(case)]
    head = ["server under test", "truth", "options", "reported", "exit", "right"]
    return f"{table(head, rows, texts=4)}\n\n{_machine(found.environment)}"


def _rows(case: Case) -> list[list[str]]:
    truth = ", ".join(f"{name} {value:,g}" for name, value in case.truth.items())
    return [
        [case.server, truth, code(told.options), _reported(told), str(told.exit_code), _right(told.is_right)]
        for told in case.told
    ]


def _reported(told: Told) -> str:
    figures = [f"{told.failed:,} of {told.requests:,} failed", f"{told.requests_per_s:,.0f}/s"]
    figures += [f"{name} {value:,g} ms" for name, value in told.ms.items() if name != "p90"]
    if told.corrected_ms:
        figures.append(f"corrected p95 {told.corrected_ms['p95']:,g} ms")
    return ", ".join(figures)


def _latencies() -> str:
    found = kept.load("latencies", kept.Latencies)
    if found is None:
        return _missing("accuracy")
    rows = []
    for case in found.cases:
        pairs = [f"{case.reported_ms[name]:,.2f} / {true:,.2f}" for name, true in case.true_ms.items()]
        rows.append([case.name, code(case.load), *pairs, str(case.exit_code)])
    names = list(found.cases[0].true_ms)
    head = ["server", "load", *(f"{name} ms, reported / true" for name in names), "exit"]
    return f"{table(head, rows, texts=2)}\n\n{_machine(found.environment)}"


def _counts() -> str:
    found = kept.load("counts", kept.Failures)
    if found is None:
        return _missing("counts")
    rows = [
        [
            *(case.name, code(case.load), f"{case.requests:,}", f"{case.failed:,}"),
            *(f"{case.truly_failed:,}", str(case.exit_code), _right(case.is_exact())),
        ]
        for case in found.cases
    ]
    head = ["server", "load", "requests", "failed, reported", "failed, logged", "exit", "exact"]
    return f"{table(head, rows, texts=2)}\n\n{_machine(found.environment)}"


def _starved() -> str:
    found = kept.load("starved", kept.Starvation)
    if found is None:
        return _missing("starved")
    rows = []
    for how in dict.fromkeys(run.how for run in found.runs):
        codes = [run.exit_code for run in found.runs if run.how == how]
        reason = next((run.reasons[0] for run in found.runs if run.how == how and run.reasons), "")
        rows.append([how, str(len(codes)), str(codes.count(3)), str(codes.count(1)), reason])
    head = ["generator", "runs", "exit 3", "exit 1", "first reason of one run"]
    return f"{table(head, rows)}\n\n{_machine(found.environment)}"


def _turns() -> str:
    found = kept.load("turns", kept.Turns)
    if found is None:
        return _missing("turns")
    rows = []
    for rate in turns.RATES:
        at = [turn for turn in found.turns if turn.rate == rate]
        medians = [
            statistics.median(getattr(turn, name) for turn in at)
            for name in ("wrk_rate", "wrk_p50_us", "service_p50_us", "response_p50_us")
        ]
        rows.append([str(rate), *(f"{value:,.0f}" for value in medians), f"{turns.ratio(at):.2f}"])
    head = ["asked for, 1/s", "wrk, 1/s", "wrk p50 µs", "service p50 µs", "response p50 µs", "response / wrk"]
    return f"{table(head, rows, texts=0)}\n\n{_machine(found.environment)}"


def _knees() -> str:
    found = kept.load("knee", kept.Knees)
    if found is None:
        return _missing("knee")
    rows = [
        [
            *(code(each.options), f"{each.rate:,.1f}", f"{each.low:,.1f} to {each.high:,.1f}"),
            *(str(each.measurements), f"{knee.TRUE_RATE:g}", _right(each.is_within())),
        ]
        for each in found.knees
    ]
    head = ["options", "knee, 1/s", "interval", "measurements", "capacity, 1/s", "within 5 %"]
    return f"{table(head, rows)}\n\n{_machine(found.environment)}"


def _missing(command: str) -> str:
    return f"> **Not measured yet.** `python -m tests.perf.truth {command}` measures it."


def _right(is_right: bool) -> str:  # noqa: FBT001 - a cell
    return "yes" if is_right else "**no**"


def _machine(seen: Environment) -> str:
    where = f"{seen.cpu}, {seen.cores} cores, Linux {seen.kernel}"
    return f"Measured at {code(seen.commit)} on {where}; load average {seen.load_average:g} when it began."


TABLES: dict[str, Callable[[], str]] = {
    "six-before": lambda: _six("six-before", "six --before"),
    "six": lambda: _six("six", "six"),
    "latencies": _latencies,
    "counts": _counts,
    "starved": _starved,
    "turns": _turns,
    "knee": _knees,
}
"""Tables of the page."""


def main() -> None:
    """Make the page."""
    PAGE.write_text(render(TEMPLATE.read_text("utf-8")), "utf-8")
