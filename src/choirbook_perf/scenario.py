"""Scenarios: the operations of users, how often, and by whom, from the mission or a TOML file.

Pure but for reading that file.

A scenario file::

    name = "ours"
    think_time_s = [0.1, 0.5]        # default: the mission's; [] for none
    projects = ["billing", "search"] # default: ten

    [[task]]
    name = "standards"               # name in the result
    weight = 3                       # default: 1
    resources = ["sdlc/core"]        # one of them at random; a URI, an HTTP path, or the part after mcp://resources/

    [[task]]
    name = "search"
    operation = "tools/call"         # default: resources/read
    tool = "search"
    arguments = { query = "retries" }
    expect = { contains = "backoff" }

`resources = ["*"]` stands for everything that the server lists. docs/load-any-server.md has all keys.
"""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

from choirbook_perf.errors import BadInput
from choirbook_perf.targets import READ

ALL = "*"
"""Stands for every resource that the server lists."""

ThinkTime = tuple[float, ...]
"""(shortest, longest) in seconds, or empty for none."""

_MAX_THINK_S = 3600.0
_MAX_WEIGHT = 1_000_000

_SUBJECTS = {
    "tools/call": ({"tool"}, {"arguments"}),
    "prompts/get": ({"prompt"}, {"arguments"}),
    READ: ({"resources"}, set()),
    "completion/complete": ({"argument"}, {"prompt", "template", "value"}),
    **dict.fromkeys(
        ("initialize", "resources/list", "resources/templates/list", "tools/list", "prompts/list"),
        (set[str](), set[str]()),
    ),
}
"""Keys that a task of each operation must have, and may have."""

_ALL_SUBJECTS = ("resources", "tool", "prompt", "template", "arguments", "argument", "value")

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


class Expect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Content that a good response has, beside what every response has."""

    content: Literal["same", "any"] = "same"
    """`same` as the probe read it; `any` where it may change during the run."""
    contains: str = ""
    is_error: bool = False
    """Whether a tool has to report an error."""


class Task(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of operation."""

    name: str
    weight: int = 1
    operation: str = READ
    """`resources/read`, which is a GET over plain HTTP, or another method of MCP."""
    resources: tuple[str, ...] = ()
    """Names of resources to read; one is picked at random each time."""
    tool: str = ""
    prompt: str = ""
    """Name of a prompt to get, or to complete an argument of."""
    template: str = ""
    """URI template to complete a variable of."""
    arguments: dict[str, Any] = {}
    """Arguments of a tool or prompt."""
    argument: str = ""
    """Argument or variable to complete."""
    value: str = ""
    """Beginning of its value."""
    expect: Expect = Expect()


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
        fault = _task_fault(task)
        require(not fault, f"task {task.name!r}: {fault}")
    require(
        _is_think_time(scenario.think_time_s), "think_time_s must be [] or [shortest, longest] in seconds"
    )


def _task_fault(task: Task) -> str:
    """Return what is wrong with the keys of a task, "" if nothing is."""
    if task.operation not in _SUBJECTS:
        return f"operation {task.operation!r} is unknown; use one of {', '.join(sorted(_SUBJECTS))}"
    needed, possible = _SUBJECTS[task.operation]
    given = {key for key in _ALL_SUBJECTS if getattr(task, key)}
    missing, excess = needed - given, given - needed - possible
    is_completion = task.operation == "completion/complete"
    faults = (
        (task.operation == READ and not all(task.resources or ("",)), "resources must name at least one"),
        (bool(missing), f"{task.operation} needs {', '.join(sorted(missing))}"),
        (bool(excess), f"{task.operation} has no use for {', '.join(sorted(excess))}"),
        (
            is_completion and bool(task.prompt) is bool(task.template),
            "completion/complete needs either prompt or template",
        ),
        (
            task.expect.is_error and task.operation != "tools/call",
            "expect.is_error is for tools/call only",
        ),
    )
    return next((told for is_wrong, told in faults if is_wrong), "")


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
