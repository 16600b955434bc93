"""Plan of a load: the operations of a scenario, made ready for a server.

Blocking, and called rarely: before a run, by the runner, or by a Locust that was started without a plan.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from urllib.parse import urlsplit

import msgspec

from choirbook_perf.access import Access
from choirbook_perf.errors import BadInput, EmptyLibrary, PerfError
from choirbook_perf.plan import Plan, PlannedTask
from choirbook_perf.probing import HttpProbe, McpProbe, StdioProbe
from choirbook_perf.probing.contents import with_content
from choirbook_perf.probing.defaults import default_scenario
from choirbook_perf.scenario import ALL, MISSION, Scenario, Task, ThinkTime
from choirbook_perf.targets import Operation

_MAX_NAMED = 100
"""Maximum number of resources of a task with separate results; above it, the task's name stands for all."""

_MAX_COMPARED = 1000
"""Maximum number of listed resources of a task whose content is read before the load."""

Probe = HttpProbe | McpProbe


def make_plan(
    url: str,
    protocol: str,
    era: str,
    scenario: Scenario | None = None,
    think_time_s: ThinkTime | None = None,
    access: Access | None = None,
    stdio: Sequence[str] = (),
) -> Plan:
    """Make a scenario ready for a server.

    Args:
        url: URL of the server, or of its MCP endpoint.
        protocol: `http` or `mcp`.
        era: `modern`, `handshake` or `auto`.
        scenario: Operations to send. By default the mission's mix, or what the server lists if it does not
            have the mission's resources.
        think_time_s: Overrides the scenario's.
        access: Headers of the user and trust in the server.
        stdio: Command of a server over stdio, instead of a URL.

    Raises:
        BadInput: The URL is invalid, or the server does not have what the scenario names.
        ServerUnreachable: Nothing answers, or not as a resource server; the message names the problem.
        EmptyLibrary: There is nothing to read.
    """
    with closing(_probe(url, protocol, era, access or Access(), stdio)) as probe:
        asked, tasks = (scenario, _planned(probe, scenario)) if scenario else _default(probe)
        return Plan(
            scenario=asked.name,
            url=probe.url,
            protocol=probe.protocol,
            era=probe.era,
            server=probe.server,
            tasks=tuple(tasks),
            handshake=probe.handshake(),
            tls=(access or Access()).tls,
            command=tuple(stdio),
            directory=os.getcwd() if stdio else "",  # noqa: PTH109 - a text, for a file
            think_time_s=asked.think_time_s if think_time_s is None else think_time_s,
            projects=asked.projects,
        )


def _probe(url: str, protocol: str, era: str, access: Access, stdio: Sequence[str]) -> Probe:
    if stdio:
        return StdioProbe(stdio, era)
    _check_url(url)
    return HttpProbe(url, access) if protocol == "http" else McpProbe(url, era, access)


def _default(probe: Probe) -> tuple[Scenario, list[PlannedTask]]:
    """Return the mission's mix, or whatever of the server's own can be asked for."""
    try:
        return MISSION, _planned(probe, MISSION)
    except PerfError:
        pass  # what is wrong with the server itself, its listings will say
    scenario = default_scenario(probe, lambda name: _can_read(probe, name))
    planned = [
        task for task in (_task(probe, each, is_lenient=True) for each in scenario.tasks) if task.operations
    ]
    if not planned:
        raise EmptyLibrary(
            f"The server at {probe.url} answers none of what it lists. Name operations with --scenario."
        )
    return scenario, planned


def _planned(probe: Probe, scenario: Scenario) -> list[PlannedTask]:
    return [_task(probe, task) for task in scenario.tasks]


def _task(probe: Probe, task: Task, *, is_lenient: bool = False) -> PlannedTask:
    operations: list[Operation] = []
    for each in _operations(probe, task):
        try:
            operations.append(with_content(each, probe.send, is_same=task.expect.content == "same"))
        except BadInput:
            if not is_lenient:
                raise
    return PlannedTask(task.name, task.weight, (*operations, *_unread(probe, task)))


def _operations(probe: Probe, task: Task) -> list[Operation]:
    """Return the operations of a task whose content is read before the load."""
    operations = []
    for operation in probe.operations(task):
        if operation.name == ALL:
            operations += _listed(probe, task)[:_MAX_COMPARED]
        else:
            operations.append(operation)
    return operations


def _unread(probe: Probe, task: Task) -> list[Operation]:
    """Return the listed resources whose content is not compared, as there are too many of them."""
    return _listed(probe, task)[_MAX_COMPARED:] if ALL in task.resources else []


def _listed(probe: Probe, task: Task) -> list[Operation]:
    listed = probe.listed()
    if not listed:
        raise EmptyLibrary(
            f"The server at {probe.url} lists no resources, so there is nothing to read. Add documents to "
            "its library."
        )
    is_named = len(listed) <= _MAX_NAMED
    return [
        msgspec.structs.replace(
            probe.read(each.name if is_named else task.name, each.address, task),
            resource_type=each.resource_type,
        )
        for each in listed
    ]


def _can_read(probe: Probe, name: str) -> bool:
    try:
        (operation,) = probe.operations(Task(name=name, resources=(name,)))
        with_content(operation, probe.send, is_same=False)
    except PerfError:
        return False
    return True


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise BadInput(f"{url!r} is not the URL of a server. Pass one such as http://127.0.0.1:8000.")
