"""Result files of every kind, by their `kind`, and the figures in them that a list may name.

Profiles and stages are read by the fields that are shown, and may have more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from choirbook_perf import results
from choirbook_perf.errors import BadInput
from choirbook_perf.peers import Comparison, rows_of
from choirbook_perf.results import Result

FUNCTIONS_SHOWN = 10


def exists(directory: Path, name: str) -> bool:
    """Return whether a result file exists."""
    return (directory / name).is_file()


def run(directory: Path, name: str) -> Result:
    """Read the result of a load test.

    Raises:
        BadInput: It is not one, or its load generator was not fast enough: nothing of it may be published.
    """
    path = directory / name
    found = head(path)
    if found.get("kind", "test") != "test":
        raise BadInput(
            f"{path} is a result of kind {found['kind']!r}, but a result of a load test is needed."
        )
    result = results.load(path)
    if not result.generator.is_valid:
        raise BadInput(
            f"{path} cannot be published: its load generator was not fast enough. "
            f"{' '.join(result.generator.reasons)} Measure it again."
        )
    return result


def head(path: Path) -> dict[str, Any]:
    """Read a result file of any kind, without validating its content.

    Raises:
        BadInput: It is not a JSON object.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    except msgspec.MsgspecError as error:
        raise BadInput(f"{path} is not a result file: {error}.") from error


class Function(msgspec.Struct, frozen=True):
    """One function of a profile; shares from 0 to 1."""

    function: str
    own: float
    cumulative: float


class ProfiledStage(msgspec.Struct, frozen=True):
    """One stage of a read."""

    stage: str
    path: str
    us: float
    low_us: float = 0.0
    high_us: float = 0.0


class _Sampling(msgspec.Struct, frozen=True):
    slowest: list[Function]


class _Profile(msgspec.Struct, frozen=True):
    sampling: _Sampling | None = None
    """Result of sampling; None if calls were counted instead."""


class _ProfiledStages(msgspec.Struct, frozen=True):
    stages: list[ProfiledStage]


def functions(directory: Path, name: str) -> list[Function]:
    """Read the functions of a profile, highest own time first."""
    sampling = _convert(directory / name, _Profile).sampling
    if sampling is None:
        raise BadInput(f"{directory / name} was made with --cprofile, and has no shares. Profile without it.")
    return sorted(sampling.slowest, key=lambda one: -one.own)


def stages(directory: Path, name: str) -> list[ProfiledStage]:
    """Read a stage table."""
    return _convert(directory / name, _ProfiledStages).stages


def peers(directory: Path, name: str) -> Comparison:
    """Read a comparison with peers."""
    return _convert(directory / name, Comparison)


_View = TypeVar("_View", bound=msgspec.Struct)


def _convert(path: Path, kind: type[_View]) -> _View:
    try:
        return msgspec.convert(head(path), kind)
    except msgspec.ValidationError as error:
        raise BadInput(f"{path} lacks figures that its table shows: {error}. Measure it again.") from error


_OF_A_RUN = re.compile(r"(?:(?P<cache_result>hit|miss)_)?p(?P<percent>\d+(?:\.\d+)?)_ms")


def figure(directory: Path, name: str, wanted: str) -> tuple[str, float | None]:
    """Find one figure of a result file.

    Args:
        directory: Directory of the file.
        name: Name of the file.
        wanted: In a load test `p95_ms`, `hit_p95_ms`, `requests_per_s` and so on; in a profile
            `stage/path`, such as `splice/hit`; in a comparison with peers `choirbook/GET raw`, the CPU per
            request, or `choirbook/GET raw/floor`, the ratio to the floor's, which does not depend on the
            machine's load.

    Returns:
        Its description, with the unit, and the value.

    Raises:
        BadInput: The file has no such figure.
    """
    found = head(directory / name)
    if found.get("kind", "test") == "test" and "series" in found:
        return _of_run(run(directory, name), wanted, directory / name)
    if "stages" in found:
        by_stage = {f"{one.stage}/{one.path}": one.us for one in stages(directory, name)}
        return f"{wanted}, µs", _pick(by_stage, wanted, directory / name)
    rows = rows_of(peers(directory, name).series)
    by_peer = {f"{row.peer}/{row.case}": row.cpu_us for row in rows}
    to_floor = {f"{row.peer}/{row.case}/floor": row.to_floor for row in rows}
    title = f"{wanted}, CPU" if wanted in to_floor else f"{wanted}, CPU µs"
    return title, _pick(by_peer | to_floor, wanted, directory / name)


def _of_run(result: Result, wanted: str, path: Path) -> tuple[str, float | None]:
    if wanted == "requests_per_s":
        return "req/s", result.requests() / result.duration_s if result.duration_s else None
    match = _OF_A_RUN.fullmatch(wanted or "p95_ms")
    if match is None:
        raise BadInput(
            f"{path}: {wanted!r} is not a figure of a run; there are p95_ms, hit_p95_ms, requests_per_s."
        )
    kind = match["cache_result"]
    latencies = result.histogram(cache_result=kind) if kind else result.histogram()
    return f"{kind or 'all'} p{match['percent']}, ms", latencies.percentile_ms(float(match["percent"]))


def _pick(found: Mapping[str, float | None], wanted: str, path: Path) -> float | None:
    if wanted not in found:
        raise BadInput(f"{path} has no figure {wanted!r}. There are: {', '.join(sorted(found))}.")
    return found[wanted]
