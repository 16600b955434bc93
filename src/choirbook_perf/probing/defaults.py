"""Scenarios for servers that do not have the mission's resources: what they have, by their own listings.

Nothing is called that may change anything: reads, listings, prompts, and tools that promise to be read-only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice, product
from urllib.parse import quote

import msgspec

from choirbook_perf.errors import EmptyLibrary
from choirbook_perf.probing.http_probe import HttpProbe
from choirbook_perf.probing.listings import ListedRow
from choirbook_perf.probing.mcp_probe import McpProbe
from choirbook_perf.scenario import ALL, MISSION, Scenario, Task

GUESSES = ("1", "example")
"""Values of template variables that the server does not complete."""

_MAX_VALUES = 3
_MAX_URIS = 5
_EXPRESSION = re.compile(r"\{([+#./;?&]?)([^{}]+)\}")


def default_scenario(probe: HttpProbe | McpProbe, can_read: Callable[[str], bool]) -> Scenario:
    """Return a scenario for a server.

    Args:
        probe: Probe of the server.
        can_read: Returns whether a resource can be read, given its name in a scenario.

    Raises:
        EmptyLibrary: It has nothing to ask for.
        ServerUnreachable: It refuses to be asked.
    """
    if isinstance(probe, HttpProbe):
        tasks = [_everything()] if probe.listed() else []
    elif "resources" in probe.capabilities and probe.listed():
        tasks = [_everything()]
    else:
        tasks = list(_tasks_without_resources(probe, can_read))
    if not tasks:
        raise EmptyLibrary(
            f"The server at {probe.url} lists no resources, so there is nothing to read. Add documents to "
            "its library, or name operations with --scenario."
        )
    name = tasks[0].name if len(tasks) == 1 else "everything listed"
    return msgspec.structs.replace(MISSION, name=name, tasks=tuple(tasks))


def _everything() -> Task:
    return Task(name="every resource", resources=(ALL,))


def _tasks_without_resources(probe: McpProbe, can_read: Callable[[str], bool]) -> Iterator[Task]:
    if "resources" in probe.capabilities and (templates := probe.rows("resources/templates/list")):
        yield _listing("resources/templates/list")
        uris = [uri for row in templates for uri in _readable(probe, row, can_read)]
        if uris:
            yield Task(name="resources of templates", resources=tuple(uris))
    if "tools" in probe.capabilities and (tools := probe.rows("tools/list")):
        yield _listing("tools/list")
        yield from (
            Task(name=tool.name, operation="tools/call", tool=tool.name) for tool in tools if _is_safe(tool)
        )
    if "prompts" in probe.capabilities and (prompts := probe.rows("prompts/list")):
        yield _listing("prompts/list")
        yield from (
            # A tool may have the same name, but the names of tasks are unique.
            Task(name=f"prompt {prompt.name}", operation="prompts/get", prompt=prompt.name)
            for prompt in prompts
            if not any(argument.required for argument in prompt.arguments)
        )


def _listing(method: str) -> Task:
    return Task(name=method, operation=method)


def _is_safe(tool: ListedRow) -> bool:
    """Return whether a tool may be called without being asked for: it says so, and needs no arguments."""
    promises = tool.annotations is not None and tool.annotations.read_only_hint is True
    return promises and not (tool.input_schema is not None and tool.input_schema.required)


def _readable(probe: McpProbe, row: ListedRow, can_read: Callable[[str], bool]) -> list[str]:
    """Return URIs of a template that can be read."""
    variables = variables_of(row.uri_template)
    values = [
        probe.completions(row.uri_template, variable)[:_MAX_VALUES] or GUESSES for variable in variables
    ]
    uris = (
        expanded(row.uri_template, dict(zip(variables, chosen, strict=True))) for chosen in product(*values)
    )
    return [uri for uri in islice(uris, _MAX_URIS) if can_read(uri)]


def variables_of(template: str) -> list[str]:
    """Return the variables of the path of a URI template; those of its query are optional."""
    names = [
        name.partition(":")[0].rstrip("*")
        for operator, inner in _EXPRESSION.findall(template)
        if operator not in {"?", "&"}
        for name in inner.split(",")
    ]
    return list(dict.fromkeys(names))


def expanded(template: str, values: dict[str, str]) -> str:
    """Return the URI of a template for values of `variables_of`.

    Source: RFC 6570, without lists and maps.
    """

    def expand(match: re.Match[str]) -> str:
        operator, inner = match.groups()
        if operator in {"?", "&"}:
            return ""
        names = [name.partition(":")[0].rstrip("*") for name in inner.split(",")]
        safe = "/:" if operator in {"+", "#"} else ""
        texts = [quote(values[name], safe=safe) for name in names]
        first = operator if operator in {"#", ".", "/", ";"} else ""
        return first + (operator if operator in {".", "/", ";"} else ",").join(texts)

    return _EXPRESSION.sub(expand, template)
