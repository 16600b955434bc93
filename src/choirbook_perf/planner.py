"""Plan of a load: the resources of a scenario, located on a server.

Blocking, and called rarely: before a run, by the runner, or by a Locust that was started without a plan.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from choirbook_perf.errors import BadInput
from choirbook_perf.plan import Plan, PlannedTask
from choirbook_perf.probe import HttpProbe, McpProbe
from choirbook_perf.scenario import ALL, MISSION, Scenario, Task, ThinkTime
from choirbook_perf.targets import Operation, resource_type

_MAX_NAMED = 100
"""Maximum number of resources of a task with separate results; above it, the task's name stands for all."""


def make_plan(
    url: str,
    protocol: str,
    era: str,
    scenario: Scenario | None = None,
    think_time_s: ThinkTime | None = None,
) -> Plan:
    """Resolve a scenario for a server.

    Args:
        url: URL of the server, or of its MCP endpoint.
        protocol: `http` or `mcp`.
        era: `modern`, `handshake` or `auto`.
        scenario: Resources to read. By default the mission's mix, or everything listed if a server does not
            have the mission's resources.
        think_time_s: Overrides the scenario's.

    Raises:
        BadInput: The URL is invalid, or the server does not have the resources that the scenario names.
        ServerUnreachable: Nothing answers, or not as a resource server.
        EmptyLibrary: There is nothing to read.
    """
    _check_url(url)
    probe: HttpProbe | McpProbe = HttpProbe(url) if protocol == "http" else McpProbe(url, era)
    asked = scenario or MISSION
    if scenario is None and _missing(probe, MISSION):
        everything = Task(name="every resource", resources=(ALL,))
        asked = msgspec.structs.replace(MISSION, name="every resource", tasks=(everything,))
    elif missing := _missing(probe, asked):
        name, reason = missing[0]
        raise BadInput(
            f"{url} does not serve {name} ({reason}), which the scenario {asked.name!r} reads. "
            "Correct the scenario, or serve a library that has it."
        )
    return Plan(
        scenario=asked.name,
        url=probe.url,
        protocol=protocol,
        era=probe.era,
        server=probe.server,
        tasks=tuple(_planned(probe, task) for task in asked.tasks),
        think_time_s=asked.think_time_s if think_time_s is None else think_time_s,
        handshake=probe.handshake(),
        projects=asked.projects,
    )


def _missing(probe: HttpProbe | McpProbe, scenario: Scenario) -> list[tuple[str, str]]:
    names = dict.fromkeys(name for task in scenario.tasks for name in task.resources if name != ALL)
    return [(name, reason) for name in names if (reason := probe.failure(name))]


def _planned(probe: HttpProbe | McpProbe, task: Task) -> PlannedTask:
    operations: list[Operation] = []
    for name in task.resources:
        if name != ALL:
            address = probe.address(name)
            operations.append(probe.operation(name, resource_type(address), address))
            continue
        listed = probe.listed()
        is_named = len(listed) <= _MAX_NAMED
        operations += [
            probe.operation(each.name if is_named else task.name, each.resource_type, each.address)
            for each in listed
        ]
    return PlannedTask(task.name, task.weight, tuple(operations))


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise BadInput(f"{url!r} is not the URL of a server. Pass one such as http://127.0.0.1:8000.")
