"""A server that answers at once with the same bytes: what is measured at it is the generator's own time.

Run as `python -m choirbook_perf.engine.null_server BYTES PARENT-PID`; prints its URL, and ends with SIGTERM.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from typing import cast

from choirbook_perf.engine.loops import end_with_parent, runner

_END = b"\r\n\r\n"


class _Connection(asyncio.Protocol):
    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request; the engine sends only such without a body here."""
        self._received += data
        while (end := self._received.find(_END)) >= 0:
            self._received = self._received[end + len(_END) :]
            self._transport.write(self._answer)


async def serve(body_bytes: int) -> None:
    """Serve on a port that the system chooses, until SIGTERM."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {body_bytes}\r\n\r\n"
    answer = head.encode() + b"." * body_bytes
    server = await loop.create_server(lambda: _Connection(answer), "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    end_with_parent(int(sys.argv[2]))
    gc.disable()
    with runner() as running:
        running.run(serve(int(sys.argv[1])))
