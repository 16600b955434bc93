"""A scenario resolved for one server: the exact requests and their names. Values, and their file.

The runner makes it and passes it to the load generator, which may run in several processes.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from choirbook_perf.scenario import ThinkTime


class Read(msgspec.Struct, frozen=True):
    """One resource to read."""

    name: str
    resource_type: str
    address: str
    """URI over MCP, path over plain HTTP."""


class PlannedTask(msgspec.Struct, frozen=True):
    """One kind of read."""

    name: str
    weight: int
    reads: tuple[Read, ...]


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
    think_time_s: ThinkTime
    projects: tuple[str, ...]


def save(plan: Plan, path: Path) -> None:
    """Write a plan for the load generator; raises OSError."""
    path.write_bytes(msgspec.json.encode(plan))


def load(path: Path) -> Plan:
    """Read a plan that `save` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Plan)
