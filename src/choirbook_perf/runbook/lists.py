"""The two lists that people write: optimisations, and what to do when a figure is off."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec

from choirbook_perf import figures
from choirbook_perf.errors import BadInput
from choirbook_perf.runbook.markdown import code, table

OPTIMISATIONS = "optimisations.toml"
SYMPTOMS = "symptoms.toml"

_List = TypeVar("_List", bound=msgspec.Struct)


class Optimisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that was tried."""

    title: str
    reason: str
    commit: str
    """Its subject; "" for what was dropped before it was committed."""
    before: str
    """A result file beside this one."""
    after: str
    kept: bool
    figure: str = ""
    """Which figure of the two files to show, where they hold several; see `measured.figure`."""


class Symptom(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that may be off."""

    symptom: str
    metric: str
    """A PromQL query."""
    command: str
    fix: str


class _Optimisations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    optimisation: list[Optimisation] = []


class _Symptoms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    symptom: list[Symptom] = []


def optimisations(directory: Path) -> list[Optimisation]:
    """Read what was tried; nothing where there is no list.

    Raises:
        BadInput: The list cannot be used.
    """
    return _load(directory / OPTIMISATIONS, _Optimisations).optimisation


def symptoms(directory: Path) -> list[Symptom]:
    """Read what to do when a figure is off; nothing where there is no list.

    Raises:
        BadInput: The list cannot be used.
    """
    return _load(directory / SYMPTOMS, _Symptoms).symptom


def _load(path: Path, kind: type[_List]) -> _List:
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), kind)
    except FileNotFoundError:
        return kind()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise BadInput(f"{path} is not a list of this kind: {error}.") from error


def symptoms_table(directory: Path) -> str:
    """Show what to do when a figure is off."""
    rows = [(one.symptom, code(one.metric), code(one.command), one.fix) for one in symptoms(directory)]
    return table(("Symptom", "Metric", "Command", "Fix"), rows, texts=4)


def change(before: float | None, after: float | None) -> str:
    """Spell how much a figure changed."""
    if not before or after is None:
        return figures.MISSING
    return f"{(after / before - 1) * 100:+.1f}%"
