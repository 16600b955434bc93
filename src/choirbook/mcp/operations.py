"""What observers are told of the messages that were answered: names from closed sets, never a client's.

Source: the OpenTelemetry conventions for MCP, attributes `mcp.method.name` and `error.type`.
"""

from __future__ import annotations

from choirbook.http.exchange import Operation

OTHER = "_OTHER"
"""Stands for methods that there are not, and messages that could not be read."""

TOOL_ERROR = "tool_error"
"""A tool that answered with `isError`."""

NOTIFICATIONS = (
    "notifications/cancelled",
    "notifications/initialized",
    "notifications/progress",
    "notifications/roots/list_changed",
)
"""What clients may tell, over all revisions."""

Operations = tuple[Operation, ...]


def succeeded(method: str, tool: str = "") -> Operations:
    """Return what is told of a message that was answered well; to be made once, not for each message."""
    return (Operation(method, "", tool),)


def failed_with(method: str, code: int, tool: str = "") -> Operations:
    """Return what is told of one that was answered with an error.

    Args:
        method: One that there is, or `OTHER`.
        code: Of JSON-RPC.
        tool: One that there is, or "".
    """
    return (Operation(method, str(code), tool),)
