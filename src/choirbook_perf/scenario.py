"""Scenarios: the resources read, how often, and by whom, from the mission or a TOML file.

Pure but for reading that file.

A scenario file::

    name = "ours"
    think_time_s = [0.1, 0.5]        # default: the mission's; [] for none
    projects = ["billing", "search"] # default: ten

    [[task]]
    name = "standards"               # name in the result
    weight = 3                       # default: 1
    resources = ["sdlc/core"]        # one of them at random; a URI, an HTTP path, or the part after mcp://resources/

`resources = ["*"]` stands for everything that the server lists.
"""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from choirbook_perf.errors import BadInput

ALL = "*"
"""Stands for every resource that the server lists."""

ThinkTime = tuple[float, ...]
"""(shortest, longest) in seconds, or empty for none."""

_MAX_THINK_S = 3600.0
_MAX_WEIGHT = 1_000_000

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


class Task(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of read."""

    name: str
    resources: tuple[str, ...]
    """Names of resources; one is picked at random for each read."""
    weight: int = 1


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The behaviour of all users; each belongs to one project."""

    name: str
    tasks: tuple[Task, ...] = msgspec.field(name="task")
    think_time_s: ThinkTime = (0.1, 0.5)
    """Pause between the reads of one user, uniformly distributed over this range; empty for a closed loop."""
    projects: tuple[str, ...] = (
        "atlas",
        "billing",
        "catalogue",
        "delivery",
        "exchange",
        "fleet",
        "gateway",
        "history",
        "insight",
        "journal",
    )


TEMPLATES = ("prd", "epic", "hls", "backlog-story")

MISSION = Scenario(
    name="mission",
    tasks=(
        Task(name="sdlc/core", weight=3, resources=("sdlc/core",)),
        Task(name="patterns/core", weight=2, resources=("patterns/core",)),
        Task(name="template", weight=1, resources=tuple(f"templates/{name}-template" for name in TEMPLATES)),
    ),
)
"""Ten projects of ten users that load what an agent loads at the start of its work."""


def load(path: Path) -> Scenario:
    """Load a scenario file.

    Raises:
        BadInput: It cannot be read, or is not a scenario.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"The scenario file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"The scenario file {path} is not UTF-8 text: {error.reason}.") from error
    return parse(text, str(path))


def parse(text: str, where: str) -> Scenario:
    """Parse a scenario in TOML.

    Args:
        text: The TOML.
        where: Name of the source in messages.

    Raises:
        BadInput: It is not TOML, or not a scenario.
    """
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"The scenario file {where} is not TOML: {error}.") from error
    try:
        scenario = msgspec.convert(document, Scenario, strict=True)
    except msgspec.ValidationError as error:
        raise BadInput(f"The scenario file {where} cannot be used: {error}.") from error
    _check(scenario, where)
    return scenario


def _check(scenario: Scenario, where: str) -> None:
    def require(holds: object, wanted: str) -> None:
        if not holds:
            raise BadInput(f"The scenario file {where} cannot be used: {wanted}.")

    require(scenario.tasks, "it has no [[task]]; add one with a name and resources")
    require(scenario.projects and all(scenario.projects), "projects must be a list of one or more names")
    require(len(set(scenario.projects)) == len(scenario.projects), "each of the projects must be named once")
    names = [task.name for task in scenario.tasks]
    require(len(set(names)) == len(names), "two tasks have the same name; names must be unique")
    for task in scenario.tasks:
        require(task.name, "a task has an empty name")
        require(1 <= task.weight <= _MAX_WEIGHT, f"task {task.name!r}: weight must be 1 to {_MAX_WEIGHT}")
        require(
            task.resources and all(task.resources), f"task {task.name!r}: resources must name at least one"
        )
    require(
        _is_think_time(scenario.think_time_s), "think_time_s must be [] or [shortest, longest] in seconds"
    )


def _is_think_time(range_s: ThinkTime) -> bool:
    if not range_s:
        return True
    return len(range_s) == 2 and 0 <= range_s[0] <= range_s[1] <= _MAX_THINK_S  # noqa: PLR2004 - the two ends


def parse_think_time(text: str) -> ThinkTime:
    """Parse `0.1-0.5` (seconds) or `none`.

    Raises:
        BadInput: It is neither.
    """
    if text == "none":
        return ()
    shortest, dash, longest = text.partition("-")
    try:
        range_s = (float(shortest), float(longest if dash else shortest))
    except ValueError:
        range_s = (math.nan, math.nan)
    if not _is_think_time(range_s):
        raise BadInput(f"--think-time {text!r} is not a range of seconds. Pass one such as 0.1-0.5, or none.")
    return range_s


def parse_duration_s(text: str) -> int:
    """Parse `5m`, `90s`, `90` or `1h30m`, like Locust, to seconds.

    Raises:
        BadInput: It is none of them, or zero.
    """
    match = _DURATION.fullmatch(text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    total_s = hours * 3600 + minutes * 60 + seconds
    if total_s == 0:
        raise BadInput(f"--run-time {text!r} is not a duration. Pass one such as 5m, 90s or 1h30m.")
    return total_s
