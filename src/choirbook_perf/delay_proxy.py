"""Loopback proxy that delays a server's answers: it shows that the gate fails when a server is slow.

Run as `python -m choirbook_perf.delay_proxy HOST PORT DELAY_MS`; prints the port that it listens on.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from choirbook_perf.children import child
from choirbook_perf.errors import BadInput, ServerUnreachable

_CHUNK_BYTES = 64 * 1024
_QUEUE_CHUNKS = 64


@contextmanager
def delayed(url: str, delay_ms: float) -> Iterator[str]:
    """Put a proxy in front of a server for as long as the context lasts.

    Args:
        url: URL of the server.
        delay_ms: Delay of each of its answers.

    Yields:
        The URL of the proxy.

    Raises:
        BadInput: The URL is not plain HTTP.
        ServerUnreachable: The proxy did not start.
    """
    parts = urlsplit(url)
    if parts.scheme != "http":
        raise BadInput(
            "--inject-delay works with http:// only, because its proxy does not decrypt TLS. Use an "
            "http:// URL."
        )
    command = [
        sys.executable,
        "-P",
        "-m",
        "choirbook_perf.delay_proxy",
        str(parts.hostname),
        str(parts.port or 80),
    ]
    with child([*command, str(delay_ms)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with process.stdout:
            port = process.stdout.readline().decode().strip()
            if not port:
                raise ServerUnreachable("The proxy of --inject-delay did not start.")
            yield parts._replace(netloc=f"127.0.0.1:{port}").geturl()


async def _serve(host: str, port: int, delay_s: float) -> None:
    async def accept(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            server, to_server = await asyncio.open_connection(host, port)
        except OSError:
            to_client.close()
            return
        await asyncio.gather(_pass_on(client, to_server, 0.0), _pass_on(server, to_client, delay_s))

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, backlog=1024)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await listener.serve_forever()  # a signal ends the process, and nobody has to be notified


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, delay_s: float) -> None:
    # Each chunk is delayed separately: an answer of several chunks is late once, not once per chunk.
    chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_QUEUE_CHUNKS)
    now_s = asyncio.get_running_loop().time

    async def receive() -> None:
        chunk = b"?"
        while chunk:
            with suppress(ConnectionError):
                chunk = b""
                chunk = await source.read(_CHUNK_BYTES)
            await chunks.put((now_s() + delay_s, chunk))

    async def send() -> None:
        with suppress(ConnectionError):
            while True:
                due_s, chunk = await chunks.get()
                await asyncio.sleep(max(0.0, due_s - now_s()))
                if not chunk:
                    break
                sink.write(chunk)
                await sink.drain()
        sink.close()

    receiving = asyncio.create_task(receive())
    await send()
    receiving.cancel()
    with suppress(asyncio.CancelledError):
        await receiving


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 1000))
