"""A TCP proxy that does to replies what networks and broken servers do, on a thread of its own."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum

CHUNK_BYTES = 64 * 1024


class Fault(StrEnum):
    """Fault injected into the data that the server sends."""

    NONE = "none"
    LATE = "late"
    """It comes after `FaultProxy.delay_s`."""
    HOLE = "hole"
    """Nothing goes through in either direction, and connections stay open."""
    RESET = "reset"
    """The connection is reset in the place of a reply."""
    SLICED = "sliced"
    """It comes a few bytes at a time."""
    TRUNCATED = "truncated"
    """Half of a reply comes, then the end of the connection."""
    FLIPPED = "flipped"
    """One bit of it is another, in every third one: so that some connections last long enough."""
    SWAPPED = "swapped"
    """In its place comes what was sent before, to anybody."""


class FaultProxy:
    """Stands between a client and a server on loopback.

    Args:
        target_port: Of the server.
        seed: Of the bits that are flipped.
    """

    def __init__(self, target_port: int, seed: int = 1) -> None:
        self.fault = Fault.NONE
        self.delay_s = 0.03
        self.port = 0
        self.spoiled = 0
        """Replies that something was done to."""
        self._target_port = target_port
        self._random = random.Random(seed)  # noqa: S311 - which bit is flipped is no secret
        self._before = b""
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """Reset all connections there are."""

        def abort() -> None:
            for writer in self._writers:
                writer.transport.abort()

        self._loop.call_soon_threadsafe(abort)

    def run(self, is_up: threading.Event) -> None:
        """Serve until `stop`; runs on the proxy's thread."""
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        is_up.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            for writer in self._writers:
                writer.transport.abort()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    def stop(self) -> None:
        """Make `run` return."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(OSError):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            self._writers.add(there_writer)
            ways = (
                asyncio.create_task(self._pass_on(reader, there_writer, is_reply=False)),
                asyncio.create_task(self._pass_on(there_reader, writer, is_reply=True)),
            )
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._writers.discard(there_writer)
            there_writer.transport.abort()
        self._writers.discard(writer)
        writer.transport.abort()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_reply: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if self.fault is Fault.HOLE:
                    self.spoiled += 1
                elif is_reply and self.fault is not Fault.NONE:
                    self.spoiled += 1
                    if not await self._spoil(data, writer):
                        return
                else:
                    writer.write(data)
                    await writer.drain()
                if is_reply:
                    self._before = data

    async def _spoil(self, data: bytes, writer: asyncio.StreamWriter) -> bool:
        """Send a reply otherwise than it is; tells whether the connection goes on."""
        match self.fault:
            case Fault.LATE:
                await asyncio.sleep(self.delay_s)
            case Fault.RESET:
                writer.transport.abort()
                return False
            case Fault.SLICED:
                for start in range(0, len(data) - 1, 997):
                    writer.write(data[start : min(start + 997, len(data) - 1)])
                    await asyncio.sleep(0)
                data = data[-1:]
            case Fault.TRUNCATED:
                writer.write(data[: len(data) // 2])
                with suppress(OSError):
                    await writer.drain()
                return False
            case Fault.FLIPPED if self.spoiled % 3 == 0:
                bit = self._random.randrange(len(data) * 8)
                spoiled = bytearray(data)
                spoiled[bit // 8] ^= 1 << bit % 8
                data = bytes(spoiled)
            case Fault.SWAPPED:
                data = self._before or data
        writer.write(data)
        await writer.drain()
        return True


@contextmanager
def fault_proxy(target_port: int) -> Iterator[FaultProxy]:
    """Run a proxy for as long as the context lasts."""
    proxy = FaultProxy(target_port)
    is_up = threading.Event()
    thread = threading.Thread(target=proxy.run, args=(is_up,), name="fault-proxy")
    thread.start()
    try:
        assert is_up.wait(10), "the proxy does not listen"
        yield proxy
    finally:
        proxy.stop()
        thread.join(10)
