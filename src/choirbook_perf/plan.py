"""A scenario resolved for one server: the exact requests and their names. Values, and their file.

The runner makes it and passes it to the load generator, which may run in several processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from choirbook_perf.scenario import ThinkTime
from choirbook_perf.targets import Handshake, Operation, Request


class PlannedTask(msgspec.Struct, frozen=True):
    """One kind of operation."""

    name: str
    weight: int
    operations: tuple[Operation, ...]
    """One is picked at random each time."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a load generator needs to know."""

    scenario: str
    url: str
    """Origin over plain HTTP, endpoint over MCP."""
    protocol: str
    """`http` or `mcp`."""
    era: str
    """`modern` or `handshake`, "" over plain HTTP."""
    server: str
    """Name and version, as far as the server reports them."""
    tasks: tuple[PlannedTask, ...]
    handshake: Handshake | None = None
    """How each user opens and ends a session; None where there are no sessions."""
    think_time_s: ThinkTime
    projects: tuple[str, ...]

    def operations(self) -> Iterator[Operation]:
        """Return the operations of all tasks."""
        return (operation for task in self.tasks for operation in task.operations)


def moved(plan: Plan, origin: str) -> Plan:
    """Return a plan for the same server at another origin, such as a proxy in front of it.

    Args:
        plan: Plan of the server.
        origin: Such as `http://127.0.0.1:8000`.
    """

    def at(url: str) -> str:
        parts, place = urlsplit(url), urlsplit(origin)
        return parts._replace(scheme=place.scheme, netloc=place.netloc).geturl()

    def request(each: Request) -> Request:
        return each._replace(url=at(each.url))

    tasks = tuple(
        PlannedTask(
            task.name,
            task.weight,
            tuple(msgspec.structs.replace(each, request=request(each.request)) for each in task.operations),
        )
        for task in plan.tasks
    )
    handshake = plan.handshake and Handshake(
        initialize=request(plan.handshake.initialize),
        initialized=request(plan.handshake.initialized),
        end=request(plan.handshake.end),
    )
    return msgspec.structs.replace(plan, url=at(plan.url), tasks=tasks, handshake=handshake)


def save(plan: Plan, path: Path) -> None:
    """Write a plan for the load generator; raises OSError."""
    path.write_bytes(msgspec.json.encode(plan))


def load(path: Path) -> Plan:
    """Read a plan that `save` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Plan)
