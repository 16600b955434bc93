"""Read-only tools, for clients whose models can call tools but not read resources."""

from choirbook.mcp.tools.feature import Tools

__all__ = ["Tools"]
