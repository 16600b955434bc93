"""Conditions that runs must have in common, so that a difference is the server's. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from choirbook_perf.errors import BadInput
from choirbook_perf.results import Result

MACHINE = "machine"
SUBJECT = "choirbook"
"""The package that is compared; its version and commit may differ."""

_SETTINGS = {"CACHE_TTL": "TTL"}
_LOADS = {
    "name": "scenario",
    "spawn_rate": "spawn rate",
    "think_time_s": "think time",
    "run_time_s": "run time",
    "inject_delay_ms": "injected delay",
    "processes": "generator processes",
}
"""Names of parts of the load, where they are not the part's own."""


def conditions(result: Result) -> dict[str, Any]:
    """Return what a run depends on besides the server's code, by name."""
    target, machine, scenario = result.target, result.environment, result.scenario
    versions = {name: found for name, found in machine.versions.items() if name != SUBJECT}
    return {
        "protocol": target.protocol,
        "era": target.era,
        "generator": result.generator.name,
        **{_LOADS.get(key, key): value for key, value in scenario.items()},
        **{_SETTINGS.get(name, name): value for name, value in target.settings.items()},
        "versions": {**versions, "Python": machine.python, "Linux": machine.kernel},
        MACHINE: machine.machine,
    }


def check(runs: Sequence[Result], despite: Iterable[str]) -> None:
    """Check that runs differ in nothing but the server's code.

    Args:
        runs: All runs of a comparison.
        despite: Names of conditions that may differ, as the message gives them.

    Raises:
        BadInput: They differ, or a name to ignore is unknown.
    """
    described = [conditions(each) for each in runs]
    names = list(dict.fromkeys(name for each in described for name in each))
    ignored = set(despite)
    if unknown := sorted(ignored.difference(names)):
        raise BadInput(
            f"--despite {unknown[0]!r} is no condition of these runs. Pass one of {', '.join(names)}."
        )
    differing = [
        _told(name, described, runs)
        for name in names
        if name not in ignored and any(each.get(name) != described[0].get(name) for each in described)
    ]
    if differing:
        raise BadInput(
            f"The runs cannot be compared: {'; '.join(differing)}. Make runs that differ only in the "
            "server, or pass --despite NAME for a difference that does not matter."
        )


def _told(name: str, described: Sequence[dict[str, Any]], runs: Sequence[Result]) -> str:
    """Describe one difference: the first run, and the first one that differs from it."""
    other = next(at for at, each in enumerate(described) if each.get(name) != described[0].get(name))
    before, after = described[0].get(name), described[other].get(name)
    if name == MACHINE:
        return f"machine is {_machine(runs[0])} and {_machine(runs[other])}"
    if isinstance(before, dict) and isinstance(after, dict):
        parts = [
            f"{key} {before.get(key, 'missing')} and {after.get(key, 'missing')}"
            for key in dict.fromkeys([*before, *after])
            if before.get(key) != after.get(key)
        ]
        return f"{name}: {', '.join(parts)}"
    if name == "tasks":
        return f"tasks: {_tasks(before)} and {_tasks(after)}"
    return f"{name} is {before!r} and {after!r}"


def _machine(run: Result) -> str:
    machine = run.environment
    return f"{machine.machine} ({machine.cpu}, {machine.cores} cores)"


def _tasks(tasks: Any) -> str:
    return ", ".join(f"{each['weight']} x {each['name']}" for each in tasks or []) or "none"
