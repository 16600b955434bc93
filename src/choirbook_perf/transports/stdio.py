"""MCP over stdio: a server process and its pipes, for the probe and for load generators.

Each user has a process of its own, as every real client has; several requests may be in flight in each.
Source: MCP 2025-11-25 and 2026-07-28, basic/transports, stdio.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from choirbook_perf.errors import ServerUnreachable
from choirbook_perf.targets import FIRST_ID, is_call, numbered

STATUS, HEADERS = 200, {"content-type": "application/json"}
"""Status and headers of every reply, for functions that evaluate responses."""

_STOP_S = 2.0
"""Time for a server to end after its stdin was closed, and again after SIGTERM, in seconds."""
_MAX_LINE_BYTES = 256 * 1024 * 1024
_STDIN, _STDOUT = 0, 1
ServerEnded = b""
"""Reply to the requests in flight when the server ends."""


class _Head(msgspec.Struct, frozen=True):
    """The fields by which a message is told from others."""

    id: int | str | None = None
    method: str = ""


_decode_head = msgspec.json.Decoder(_Head).decode


class StdioConnection(asyncio.SubprocessProtocol):
    """One server process. Made by `start`, ended by `close`."""

    def __init__(self) -> None:
        self._transport: asyncio.SubprocessTransport | None = None
        self._stdin: asyncio.WriteTransport | None = None
        self._waiting: dict[int, Callable[[bytes], None]] = {}
        self._last_id = FIRST_ID
        self._buffer = bytearray()
        self._exited = asyncio.get_running_loop().create_future()
        self.unknown_lines = 0
        """Lines on stdout that are not messages, which a server must not write."""

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        directory: Path | str | None = None,
        stderr: int | IO[bytes] | None = None,
    ) -> StdioConnection:
        """Start a server.

        Args:
            command: Program and its arguments.
            directory: Working directory; None for the present one.
            stderr: Where its log goes, as in `subprocess`; None to discard it.

        Raises:
            ServerUnreachable: The program cannot be started.
        """
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.subprocess_exec(
                cls,
                *command,
                stderr=subprocess.DEVNULL if stderr is None else stderr,
                cwd=directory,
                start_new_session=True,
            )
        except OSError as error:
            raise ServerUnreachable(
                f"The server {command[0]} cannot be started: {error.strerror}. Correct the command after --."
            ) from error
        return connection

    @property
    def pid(self) -> int:
        """Process id of the server."""
        assert self._transport is not None
        return self._transport.get_pid()

    @property
    def is_running(self) -> bool:
        """Whether the server may still answer."""
        return not self._exited.done()

    def send(self, body: bytes, done: Callable[[bytes], None]) -> int:
        """Send a request, and return its id.

        Args:
            body: Ready request.
            done: Called once with the line of the reply, or with `ServerEnded`.
        """
        if self._stdin is None or not self.is_running:
            done(ServerEnded)
            return 0
        assert is_call(body), "a ready request ends with its id"
        self._last_id += 1
        self._waiting[self._last_id] = done
        self._stdin.write(numbered(body, self._last_id) + b"\n")
        return self._last_id

    def notify(self, body: bytes) -> None:
        """Send a notification, which has no reply."""
        if self._stdin is not None and self.is_running:
            self._stdin.write(body + b"\n")

    def forget(self, id_: int) -> None:
        """Drop a request that is no longer waited for; its reply is ignored."""
        self._waiting.pop(id_, None)

    async def exchange(self, body: bytes, timeout_s: float) -> bytes:
        """Send a request and return the line of its reply, `ServerEnded` if the server ends first.

        Raises:
            TimeoutError: No reply came in time.
        """
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def take(line: bytes) -> None:
            if not reply.done():
                reply.set_result(line)

        id_ = self.send(body, take)
        try:
            async with asyncio.timeout(timeout_s):
                return await reply
        finally:
            self.forget(id_)

    async def close(self) -> None:
        """End the server: by closing its stdin, then by signals."""
        if self._stdin is not None:
            self._stdin.close()
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None and self.is_running:
                with suppress(ProcessLookupError):
                    os.killpg(self.pid, number)  # it leads a group of its own, with what it started
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await asyncio.shield(self._exited)
                break
        if self._transport is not None:
            self._transport.close()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the pipes of the process."""
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self._stdin = cast("asyncio.WriteTransport", self._transport.get_pipe_transport(_STDIN))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Take bytes of the server's stdout."""
        if fd != _STDOUT:
            return
        if b"\n" not in data:
            self._buffer += data
            if len(self._buffer) > _MAX_LINE_BYTES:
                self._end_all()
            return
        *lines, rest = (bytes(self._buffer) + data).split(b"\n")
        self._buffer = bytearray(rest)
        for line in lines:
            if line.strip():
                self._take(line)

    def pipe_connection_lost(self, fd: int, _: Exception | None) -> None:
        """Note that a pipe was closed."""
        if fd == _STDIN:
            self._stdin = None
        elif fd == _STDOUT:
            self._end_all()

    def process_exited(self) -> None:
        """Note that the server ended."""
        if not self._exited.done():
            self._exited.set_result(None)

    def connection_lost(self, _: Exception | None) -> None:
        """Note that all pipes are closed."""
        self._end_all()

    def _take(self, line: bytes) -> None:
        try:
            head = _decode_head(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.unknown_lines += 1
            return
        if head.method:
            self._answer(head)
        elif isinstance(head.id, int) and (done := self._waiting.pop(head.id, None)) is not None:
            done(line)

    def _answer(self, head: _Head) -> None:
        """Answer a request of the server; notifications are ignored."""
        if head.id is None:
            return
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": head.id}
        if head.method == "ping":
            reply["result"] = {}
        else:
            reply["error"] = {"code": -32601, "message": "This client has no such method."}
        self.notify(msgspec.json.encode(reply))

    def _end_all(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for done in waiting.values():
            done(ServerEnded)
