"""Inspection of an MCP server over stdio."""

from __future__ import annotations

from collections.abc import Sequence

from choirbook_perf.access import Access
from choirbook_perf.errors import ServerUnreachable
from choirbook_perf.probing.eras import HANDSHAKE, MODERN, Discovered
from choirbook_perf.probing.mcp_probe import McpProbe
from choirbook_perf.probing.stdio_client import StdioClient


class StdioProbe(McpProbe):
    """MCP over stdio.

    Args:
        command: Program and its arguments.
        era: `modern`, `handshake` or `auto`.

    Raises:
        ServerUnreachable: The server cannot be started, or is not MCP; the message names the problem.
    """

    def __init__(self, command: Sequence[str], era: str) -> None:
        self._access = Access()
        self._command = command
        client = StdioClient(command)
        self._begin([client.url], client, era)

    def _shake_hands(self, urls: Sequence[str], version: str) -> None:
        if self._was_asked:
            # Some servers of the handshake era end, or fall silent, after a question before `initialize`.
            self._sender.close()
            self._sender = StdioClient(self._command)
        super()._shake_hands(urls, version)

    _was_asked = False

    def _discover(self, urls: Sequence[str], era: str) -> Discovered:
        self._was_asked = True
        try:
            return super()._discover(urls, era)
        except ServerUnreachable:
            if era == MODERN:
                raise
            return Discovered(HANDSHAKE)
