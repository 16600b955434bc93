"""Operations reported to observers for each answered message: names from closed sets, never a client's.

Source: the OpenTelemetry conventions for MCP, attributes `mcp.method.name` and `error.type`.
"""

from __future__ import annotations

from choirbook.http.exchange import Operation

OTHER = "_OTHER"
"""Name for unknown methods, and for messages that could not be read."""

TOOL_ERROR = "tool_error"
"""Error of a tool that answered with `isError`."""

NOTIFICATIONS = (
    "notifications/cancelled",
    "notifications/initialized",
    "notifications/progress",
    "notifications/roots/list_changed",
)
"""Notifications that clients may send, over all revisions."""

Operations = tuple[Operation, ...]


def succeeded(method: str, tool: str = "") -> Operations:
    """Return the operations of a successful message; to be built once, not for each message."""
    return (Operation(method, "", tool),)


def failed_with(method: str, code: int, tool: str = "") -> Operations:
    """Return the operations of a message that was answered with an error.

    Args:
        method: A known method, or `OTHER`.
        code: Error code of JSON-RPC.
        tool: A known tool, or "".
    """
    return (Operation(method, str(code), tool),)
