"""HTTP/1.1 over one connection, for a client that tells apart how an answer can fail to come."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self

from tests.faults.judging import Answer, Wrong

LOST = "lost"
"""The connection ended after the request was sent and before the first byte of an answer."""
CUT = "cut"
"""It ended within an answer."""
REFUSED = "refused"
"""None could be made."""
LATE = "late"
"""No whole answer within the deadline."""

_MAX_HEAD_BYTES = 64 * 1024


class Connection:
    """One connection, which is one reader: what it sees never goes back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._asked_to_close = False
        self.floors: dict[str, int] = {}
        """The newest version of each document that came over it."""

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect to loopback.

        Raises:
            Wrong: Nobody listens.
        """
        try:
            return cls(*await asyncio.open_connection("127.0.0.1", port, limit=_MAX_HEAD_BYTES))
        except OSError as error:
            raise Wrong(REFUSED, str(error)) from error

    @property
    def is_open(self) -> bool:
        """Whether the other side has not closed it, as far as is known here."""
        return not (
            self._asked_to_close
            or self._reader.at_eof()
            or self._writer.is_closing()
            or self._reader.exception() is not None
        )

    async def exchange(self, request: bytes) -> Answer:
        """Send a request and return the answer.

        Raises:
            Wrong: None came.
        """
        try:
            self._writer.write(request)
            first = await self._reader.read(1)
        except OSError as error:
            raise Wrong(LOST, str(error)) from error
        if not first:
            raise Wrong(LOST, "closed before an answer")
        try:
            return await self._answer(first)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Wrong(CUT, str(error)) from error

    async def close(self) -> None:
        """Close it, whatever state it is in."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _answer(self, first: bytes) -> Answer:
        head = (first + await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        status = int(start.split()[1])
        size = 0 if status == 304 else int(headers.get("content-length", "0"))
        body = await self._reader.readexactly(size)
        self._asked_to_close = headers.get("connection", "").lower() == "close"
        return Answer(status, headers, body)
