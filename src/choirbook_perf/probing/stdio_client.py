"""Single blocking requests to a server over stdio, before a load."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from choirbook_perf.errors import ServerUnreachable
from choirbook_perf.http_client import Response
from choirbook_perf.targets import Request
from choirbook_perf.transports.stdio import HEADERS, STATUS, StdioConnection

_TIMEOUT_S = 10.0
_MAX_SAID = 300


class StdioClient:
    """A server process, and requests to it one after the other.

    Args:
        command: Program and its arguments.

    Raises:
        ServerUnreachable: It cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.url = f"stdio:{Path(command[0]).name}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._loop = asyncio.new_event_loop()
        try:
            start = StdioConnection.start(command, stderr=self._log)
            self._connection = self._loop.run_until_complete(start)
        except BaseException:
            self._loop.close()
            self._log.close()
            raise

    def send(self, request: Request) -> Response:
        """Send a request or notification.

        Raises:
            ServerUnreachable: The server ended, or does not answer in time.
        """
        body = request.body or b""
        if b'"method":"notifications/' in body:
            self._connection.notify(body)
            return Response(202, {}, b"", self.url)
        try:
            line = self._loop.run_until_complete(self._connection.exchange(body, _TIMEOUT_S))
        except TimeoutError:
            raise ServerUnreachable(
                f"The server {self.url} does not answer within {_TIMEOUT_S:g} s{self._said()}. Is it a "
                "server of MCP over stdio?"
            ) from None
        if not line:
            raise ServerUnreachable(
                f"The server {self.url} ended{self._said()}. Correct the command after --."
            )
        return Response(STATUS, HEADERS, line, self.url)

    def close(self) -> None:
        """End the server."""
        try:
            self._loop.run_until_complete(self._connection.close())
        finally:
            self._loop.close()
            self._log.close()

    def _said(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return f"; its last line: {lines[-1][:_MAX_SAID]}" if lines else ""
