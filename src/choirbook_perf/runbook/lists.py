"""The two handwritten lists: optimisations, and troubleshooting of slow results."""

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
    """One optimisation that was tried."""

    title: str
    reason: str
    commit: str
    """Subject of the commit; "" if it was dropped before it was committed."""
    before: str
    """Result file beside this one."""
    after: str
    kept: bool
    figure: str = ""
    """Figure of the two files to show, if they contain several; see `measured.figure`."""


class Symptom(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One symptom of a problem."""

    symptom: str
    metric: str
    """PromQL query."""
    command: str
    fix: str


class _Optimisations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    optimisation: list[Optimisation] = []


class _Symptoms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    symptom: list[Symptom] = []


def optimisations(directory: Path) -> list[Optimisation]:
    """Read the optimisations; empty if there is no list.

    Raises:
        BadInput: The list cannot be used.
    """
    return _load(directory / OPTIMISATIONS, _Optimisations).optimisation


def symptoms(directory: Path) -> list[Symptom]:
    """Read the troubleshooting list; empty if there is none.

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
    """Show the troubleshooting list."""
    rows = [(one.symptom, code(one.metric), code(one.command), one.fix) for one in symptoms(directory)]
    return table(("Symptom", "Metric", "Command", "Fix"), rows, texts=4)


def change(before: float | None, after: float | None) -> str:
    """Format the relative change of a figure."""
    if not before or after is None:
        return figures.MISSING
    return f"{(after / before - 1) * 100:+.1f}%"
