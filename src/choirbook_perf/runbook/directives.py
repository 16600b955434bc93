"""Directives of templates, and the functions that render them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from choirbook_perf import cold as colds
from choirbook_perf import figures
from choirbook_perf.errors import BadInput
from choirbook_perf.results import Result
from choirbook_perf.runbook import lists, measured, profiles, runs
from choirbook_perf.runbook import peers as comparison
from choirbook_perf.runbook.markdown import code, not_measured, table, without

COMMANDS = {
    "test": "choirbook perf test --label {stem} --out DIR",
    "profile": "choirbook perf profile",
    "stages": "choirbook perf profile",
    "native": "choirbook perf profile --native",
    "memory": "choirbook perf profile --memory",
    "peers": "task perf:peers -- --out {name}",
    "cold": "choirbook perf cold --out {name}",
}
"""Commands that create a missing file; for messages only."""

Make = Callable[..., str]


def _of_run(make: Callable[[Result], str]) -> Make:
    def made(directory: Path, name: str) -> str:
        if not measured.exists(directory, name):
            return _missing("test", name)
        return make(measured.run(directory, name))

    return made


def _missing(kind: str, name: str) -> str:
    command = COMMANDS[kind].format(name=name, stem=Path(name).stem)
    return not_measured(name, command)


def compare(directory: Path, before: str, after: str) -> str:
    """Show two runs and their ratio."""
    for name in (before, after):
        if not measured.exists(directory, name):
            return _missing("test", name)
    return runs.comparison(measured.run(directory, before), measured.run(directory, after))


def functions(directory: Path, name: str) -> str:
    """Show the most expensive functions of a profile."""
    if not measured.exists(directory, name):
        return _missing("profile", name)
    found = measured.functions(directory, name)[: measured.FUNCTIONS_SHOWN]
    rows = [(code(one.function), figures.percent(one.own), figures.percent(one.cumulative)) for one in found]
    return table(("Function", "Own", "Cumulative"), rows)


def stages(directory: Path, name: str) -> str:
    """Show the cost of each stage of a read, and of a request under load what no Python frame explains."""
    if not measured.exists(directory, name):
        return _missing("stages", name)
    return profiles.stages(measured.stages(directory, name), measured.explained(directory, name))


def native(directory: Path, name: str) -> str:
    """Show the kernel and native code in a profile."""
    if not measured.exists(directory, name):
        return _missing("native", name)
    found = measured.native(directory, name)
    return profiles.native(found) if found else without(name, "native profile", COMMANDS["native"])


def memory(directory: Path, name: str) -> str:
    """Show what the server allocates."""
    if not measured.exists(directory, name):
        return _missing("memory", name)
    found = measured.memory(directory, name)
    return profiles.memory(found) if found else without(name, "memory profile", COMMANDS["memory"])


def peers(directory: Path, name: str) -> str:
    """Show Choirbook among its peers."""
    if not measured.exists(directory, name):
        return _missing("peers", name)
    return comparison.shown(measured.peers(directory, name))


def cold(directory: Path, name: str) -> str:
    """Show starts and first reads, and whether preloading is needed."""
    if not measured.exists(directory, name):
        return _missing("cold", name)
    try:
        found = msgspec.convert(measured.head(directory / name), colds.Cold)
    except msgspec.ValidationError as error:
        raise BadInput(f"{directory / name} is not a result of choirbook perf cold: {error}.") from error
    rows = [
        (
            row.what,
            row.note,
            figures.whole(row.reads),
            *map(figures.milliseconds, (row.median_ms, row.p95_ms, row.max_ms)),
        )
        for row in colds.rows_of(found)
    ]
    answer = "is needed" if found.verdict.is_preloading_needed else "is not needed"
    sentence = f"Preloading {answer}: {found.verdict.reason}."
    shown = table(("", "Note", "Reads", "Median, ms", "p95, ms", "Longest, ms"), rows, texts=2)
    return f"{sentence}\n\n{shown}"


def machine(directory: Path, name: str) -> str:
    """Describe the machine of a result of any kind; nothing if the result is missing."""
    if not measured.exists(directory, name):
        return ""
    found = measured.head(directory / name).get("environment")
    if not isinstance(found, dict):
        raise BadInput(f"{directory / name} does not name the machine it was measured on. Measure it again.")
    return runs.machine(found)


def optimisations(directory: Path) -> str:
    """Show which optimisations were tried, their effect, and whether they were kept."""
    tried = lists.optimisations(directory)
    if not tried:
        return f"> **Not measured yet:** `{lists.OPTIMISATIONS}` has no entries."
    head = ("Optimisation", "Reason", "Commit", "Kept", "Figure", "Before", "After", "Change")
    return table(head, [_optimisation(directory, one) for one in tried], texts=5)


def _optimisation(directory: Path, one: lists.Optimisation) -> list[str]:
    kept = "kept" if one.kept else "**dropped**"
    told = [one.title, one.reason, one.commit or figures.MISSING, kept]
    if not (measured.exists(directory, one.before) and measured.exists(directory, one.after)):
        return [*told, "not measured yet", *[figures.MISSING] * 3]
    title, before = measured.figure(directory, one.before, one.figure)
    _, after = measured.figure(directory, one.after, one.figure)
    return [
        *told,
        title,
        figures.significant(before),
        figures.significant(after),
        lists.change(before, after),
    ]


DIRECTIVES: dict[str, tuple[int, Make]] = {
    "summary": (1, _of_run(runs.summary)),
    "verdict": (1, _of_run(runs.verdict)),
    "percentiles": (1, _of_run(runs.percentiles)),
    "locust": (1, _of_run(runs.locust)),
    "compare": (2, compare),
    "functions": (1, functions),
    "stages": (1, stages),
    "native": (1, native),
    "memory": (1, memory),
    "peers": (1, peers),
    "cold": (1, cold),
    "machine": (1, machine),
    "optimisations": (0, optimisations),
    "symptoms": (0, lists.symptoms_table),
}
"""Directives by name: number of files, and rendering function."""
