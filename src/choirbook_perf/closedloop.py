"""A plain closed-loop load, in a process of its own: each connection asks anew when it was answered.

Run as `python -m choirbook_perf.closedloop`, with a `ClosedLoopPlan` as JSON on stdin. Ends with SIGTERM and
says how many requests were answered. It is there to keep a server busy while it is profiled, not to measure
it.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec

from choirbook_perf.children import child
from choirbook_perf.errors import ServerUnreachable
from choirbook_perf.targets import Request

MAX_HEADER_BYTES = 64 * 1024
_STOP_S = 10.0


class ClosedLoopPlan(msgspec.Struct, frozen=True):
    """Requests to send, in rotation."""

    requests: list[Request]
    connections: int


class Count(msgspec.Struct):
    """Numbers of answers."""

    answered: int = 0
    failed: int = 0
    """Answers other than 2xx."""


@contextmanager
def loading(requests: list[Request], connections: int) -> Iterator[list[Count]]:
    """Keep a server busy for as long as the context lasts; the yielded list gets the count at the end.

    The context begins when the first request was answered.

    Raises:
        ServerUnreachable: The server hangs up, or no request succeeds.
    """
    command = [sys.executable, "-P", "-m", "choirbook_perf.closedloop"]
    counts: list[Count] = []
    with child(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(ClosedLoopPlan(requests, connections)))
        process.stdin.close()
        process.stdin = None
        process.stdout.readline()  # the first answer, or the end
        try:
            yield counts
        finally:
            counts.append(_stop(process))
    if counts[0].answered == counts[0].failed:
        raise ServerUnreachable("The server answered no request successfully. See its log for the reason.")


def _stop(process: subprocess.Popen[bytes]) -> Count:
    process.terminate()
    try:
        out, _ = process.communicate(timeout=_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, _ = process.communicate()
    return _decoded(out)


def _decoded(out: bytes) -> Count:
    try:
        return msgspec.json.decode(out, type=Count)
    except msgspec.MsgspecError:
        return Count()


async def run(plan: ClosedLoopPlan) -> Count:
    """Send requests until a signal, or until the server hangs up."""
    count = Count()
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    raw = [encoded(request) for request in plan.requests]
    parts = urlsplit(plan.requests[0].url)
    tasks = [
        asyncio.create_task(_ask(parts.hostname or "", parts.port or 80, raw[turn:] + raw[:turn], count))
        for turn in (number % len(raw) for number in range(plan.connections))
    ]
    stop = asyncio.create_task(stopped.wait())
    # A connection ends only when the server hangs up; the others continue.
    waiting: set[asyncio.Task[Any]] = {stop, *tasks}
    while stop in waiting and len(waiting) > 1:
        _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in (*tasks, stop):
        task.cancel()
    await asyncio.gather(*tasks, stop, return_exceptions=True)
    return count


def encoded(request: Request) -> bytes:
    """Encode a request for HTTP/1.1 with keep-alive."""
    parts = urlsplit(request.url)
    target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    headers = {"Host": parts.netloc, **request.headers}
    if request.body is not None:
        headers["Content-Length"] = str(len(request.body))
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (request.body or b"")


async def _ask(host: str, port: int, requests: list[bytes], count: Count) -> None:
    reader, writer = await asyncio.open_connection(host, port, limit=MAX_HEADER_BYTES)
    while True:
        for request in requests:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await _skip_body(reader, head.lower())
            if count.answered == 0:
                sys.stdout.buffer.write(b"\n")
                sys.stdout.buffer.flush()
            count.answered += 1
            count.failed += not head.startswith(b"HTTP/1.1 2")


async def _skip_body(reader: asyncio.StreamReader, head: bytes) -> None:
    _, is_there, rest = head.partition(b"\r\ncontent-length:")
    if is_there:
        await reader.readexactly(int(rest.partition(b"\r\n")[0]))
        return
    if b"\r\ntransfer-encoding: chunked" not in head:
        return
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
    await reader.readline()


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=ClosedLoopPlan)
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(run(asked))))
