"""Inspection of a server before a load: what it speaks, serves, and answers. Blocking."""

from choirbook_perf.probing.http_probe import HttpProbe
from choirbook_perf.probing.listings import Listed
from choirbook_perf.probing.mcp_probe import McpProbe
from choirbook_perf.probing.stdio_probe import StdioProbe

__all__ = ["HttpProbe", "Listed", "McpProbe", "StdioProbe"]
