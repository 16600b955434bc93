"""Measure open streams: memory of each, time from an edit to its notifications, and waits of other readers.

Opens streams of `subscriptions/listen` at a `choirbook serve` of its own, all on one document, and edits
it. For comparison, as many idle kept-alive connections are opened at another server; their cost is
Granian's. A probe in a separate process reads another document all the time. Prints a table, or JSON.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import selectors
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.processes import free_port, running
from benchmarks.sampler import machine

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SERVER_CORE = 0
DEADLINE_S = 60.0
FILES_BESIDE_CONNECTIONS = 200
WATCHED, READ = "watched.md", "read.md"
_UPDATED = b"resources/updated"
_LAST = (b'"content":', b"subscriptions/acknowledged")
"""Text in the last piece of either answer."""


def main() -> int:
    """Measure, and return the exit status."""
    options = _options()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = options.streams + FILES_BESIDE_CONNECTIONS
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < wanted:
        sys.exit(f"{wanted} open files are needed. Raise 'ulimit -n', or ask for fewer --streams.")
    result = {"environment": msgspec.to_builtins(machine()), **measure(options.streams, options.edits)}
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        print_table(result)
    return 0


def measure(streams: int, edits: int) -> dict[str, Any]:
    """Open the streams and make the edits."""
    with _server() as (port, worker, _):
        idle_bytes = _grown(worker, lambda: _open(port, _ask_for_document, streams))[0]
    with _server() as (port, worker, document):
        stream_bytes, opened = _grown(worker, lambda: _open(port, _ask_for_stream, streams))
        rounds = list(_edit(document, opened, port, edits))
    return {
        "streams": streams,
        "bytes_per_stream": stream_bytes / streams,
        "bytes_per_idle_connection": idle_bytes / streams,
        "edits": rounds,
    }


@contextmanager
def _server() -> Iterator[tuple[int, int, Path]]:
    """Run a server; yields its port, its worker's process id, and the document to edit."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "library"
        root.mkdir()
        for name in (WATCHED, READ):
            (root / name).write_text(f"# {name}\n")
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "choirbook",
            "serve",
            str(root),
            "--port",
            str(port),
            "--no-access-log",
        ]
        url = f"http://127.0.0.1:{port}/readyz"
        with running(command, url, Path(directory) / "log", SERVER_CORE) as process:
            # The first request of each kind costs imports and caches, unlike the others.
            for ask in (_ask_for_document, _ask_for_stream):
                _close(_open(port, ask, 2))
            yield port, _worker_of(process.pid), root / WATCHED


def print_table(result: dict[str, Any]) -> None:
    """Print medians as text."""
    rounds = result["edits"]

    def median(key: str) -> float:
        return float(statistics.median(each[key] for each in rounds))

    rows = [
        ("streams open", f"{result['streams']}"),
        ("memory of each", f"{result['bytes_per_stream'] / 1024:.1f} KiB"),
        ("  of which an idle connection", f"{result['bytes_per_idle_connection'] / 1024:.1f} KiB"),
        ("edit to first notification", f"{median('first_ms'):.0f} ms"),
        ("edit to last notification", f"{median('last_ms'):.0f} ms"),
        ("longest read of another meanwhile", f"{median('probe_max_ms'):.1f} ms"),
        ("  in the worst round", f"{max(each['probe_max_ms'] for each in rounds):.1f} ms"),
        ("  without an edit", f"{median('probe_quiet_max_ms'):.1f} ms"),
    ]
    for name, value in rows:
        print(f"{name:<36}{value:>12}")


def _edit(document: Path, opened: list[socket.socket], port: int, edits: int) -> Iterator[dict[str, float]]:
    selector = selectors.DefaultSelector()
    for connection in opened:
        connection.settimeout(0)
        selector.register(connection, selectors.EVENT_READ)
    with _probing(port) as worst_ms:
        for number in range(edits):
            worst_ms()
            time.sleep(0.5)
            quiet_ms = worst_ms()
            start_s = time.monotonic()
            document.write_text(f"# Edit {number}\n")
            told_s = _wait_for_all(selector, len(opened))
            yield {
                "first_ms": (told_s[0] - start_s) * 1000,
                "last_ms": (told_s[-1] - start_s) * 1000,
                "probe_max_ms": worst_ms(),
                "probe_quiet_max_ms": quiet_ms,
            }


def _wait_for_all(selector: selectors.BaseSelector, count: int) -> list[float]:
    """Return the time at which each stream was notified, in order."""
    told_s: list[float] = []
    end_s = time.monotonic() + DEADLINE_S
    while len(told_s) < count:
        if time.monotonic() > end_s:
            raise RuntimeError(f"{len(told_s)} of {count} streams were notified within {DEADLINE_S:g} s")
        for key, _ in selector.select(1.0):
            data = key.fileobj.recv(65536)  # type: ignore[union-attr]
            if not data:
                raise RuntimeError("the server closed a stream")
            if _UPDATED in data:
                told_s.append(time.monotonic())
    return told_s


@contextmanager
def _probing(port: int) -> Iterator[Callable[[], float]]:
    """Read a document all the time; yields a function for the longest read since its last call, in ms."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_probe, args=(port, theirs))
    process.start()

    def worst_ms() -> float:
        ours.send("worst")
        return float(ours.recv())

    try:
        ours.recv()
        yield worst_ms
    finally:
        ours.send(None)
        process.join()


def _probe(port: int, orders: Connection) -> None:
    request = f"GET /mcp/resources/files/{READ} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    worst_s = 0.0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        orders.send("ready")
        while True:
            if orders.poll():
                if orders.recv() is None:
                    return
                orders.send(worst_s * 1000)
                worst_s = 0.0
            start_s = time.monotonic()
            connection.sendall(request)
            connection.recv(65536)
            worst_s = max(worst_s, time.monotonic() - start_s)
            time.sleep(0.001)


def _open(port: int, ask: Callable[[], bytes], count: int) -> list[socket.socket]:
    """Open connections, one after the other: send a request over each and wait for the first data."""
    opened = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
        connection.sendall(ask())
        got = b""
        while not any(last in got for last in _LAST):
            got += connection.recv(65536)
        opened.append(connection)
    return opened


def _close(opened: list[socket.socket]) -> None:
    for connection in opened:
        connection.close()


def _ask_for_document() -> bytes:
    return f"GET /mcp/resources/files/{READ} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def _ask_for_stream() -> bytes:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    wanted = {"resourceSubscriptions": [f"mcp://resources/files/{WATCHED}"]}
    params = {"_meta": meta, "notifications": wanted}
    call = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}
    body = json.dumps(call).encode()
    head = [
        "POST /mcp HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        "MCP-Protocol-Version: 2026-07-28",
        "Mcp-Method: subscriptions/listen",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def _grown(worker: int, open_all: Callable[[], list[socket.socket]]) -> tuple[int, list[socket.socket]]:
    """Return by how many bytes a worker grows with connections, and the connections."""
    before = _rss_bytes(worker)
    opened = open_all()
    return _rss_bytes(worker) - before, opened


def _worker_of(server: int) -> int:
    found: list[int] = []
    for task in Path(f"/proc/{server}/task").glob("*/children"):
        found += [int(child) for child in task.read_text().split()]
    (worker,) = found
    return worker


def _rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    parser.add_argument("--streams", type=int, default=5000, help="number of streams to open (default 5000)")
    parser.add_argument("--edits", type=int, default=5, help="number of edits to make (default 5)")
    parser.add_argument("--json", action="store_true", help="print every round and the environment")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
