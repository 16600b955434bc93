"""Measure Choirbook on a large library: start, memory, listings, and how mass changes affect readers.

The library is generated in a temporary directory. The longest read is an upper bound of the longest block of
the server's event loop. Prints a table, or JSON with the environment.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks.processes import free_port, pinned, running
from benchmarks.requests import ENDPOINT, HANDSHAKE
from benchmarks.sampler import LOAD_CORE, SERVER_CORE, machine

DIRECTORIES = 100
PROSE = "A rule says when it applies, and why.\n"
PROSE_LINES = 8
AGE_S = 3600.0
"""Age of the files in seconds, so that the server need not wait for them to settle."""

PROBE_PAUSE_S = 0.001
SHOW_DEADLINE_S = 60.0
FIRST_PAGES = 20
"""Number of requests for the first page: every client requests it, and some servers cache it."""

SAMPLED = 50
"""Number of changed files that are checked for the change."""

_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": HANDSHAKE,
}


class Latency(NamedTuple):
    """Latencies of some requests."""

    requests: int
    p50_ms: float
    p95_ms: float
    longest_ms: float


class Started(NamedTuple):
    """A running server."""

    port: int
    pid: int
    ready_s: float


def name_of(number: int) -> str:
    """Return the path of a document."""
    return f"team-{number % DIRECTORIES:02}/guideline-{number:07}.md"


def text_of(number: int, edition: int) -> str:
    """Return the text of a document."""
    head = f"# Guideline {number}\n\nEdition {edition} of what is done in case {number}.\n\n"
    return head + PROSE * PROSE_LINES


def plant(library: Path, files: int) -> Path:
    """Write a library that looks old; return it."""
    then_s = time.time() - AGE_S
    for directory in range(DIRECTORIES):
        (library / f"team-{directory:02}").mkdir(parents=True)
    for number in range(files):
        path = library / name_of(number)
        path.write_text(text_of(number, 1), encoding="utf-8")
        os.utime(path, (then_s, then_s))
    return library


def rewrite(library: Path, changes: int) -> None:
    """Replace the first documents, each in one step."""
    for number in range(changes):
        path = library / name_of(number)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text(text_of(number, 2), encoding="utf-8")
        fresh.replace(path)


@contextmanager
def serving(library: Path, log: Path) -> Iterator[Started]:
    """Serve a library for as long as the context lasts."""
    port = free_port()
    command = [sys.executable, "-m", "choirbook", "serve", str(library), "--port", str(port)]
    start_s = time.monotonic()
    with running(command, f"http://127.0.0.1:{port}/readyz", log, SERVER_CORE) as process:
        yield Started(port, process.pid, time.monotonic() - start_s)


def worker_bytes(pid: int) -> int:
    """Return the resident memory of a server's one worker, including memory shared with its parent."""
    children = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    worker = "".join(children).split()[0]
    return int(Path(f"/proc/{worker}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Client:
    """One keep-alive connection that measures its requests.

    Args:
        port: Loopback port of the server.
    """

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)

    def read(self, number: int) -> tuple[str, float]:
        """Read a document; return its text and the time in seconds."""
        body, took_s = self._ask("GET", f"/mcp/resources/files/{name_of(number)}", None, {"Accept": "text/*"})
        return body.decode(), took_s

    def http_page(self, cursor: str | None) -> tuple[str | None, float]:
        """Get a page of the listing; return the next cursor and the time in seconds."""
        body, took_s = self._ask("GET", "/mcp/resources" + (f"?cursor={cursor}" if cursor else ""), None, {})
        return json.loads(body).get("nextCursor"), took_s

    def mcp_page(self, cursor: str | None) -> tuple[str | None, float]:
        """Call `resources/list`; return the next cursor and the time in seconds."""
        params = {"cursor": cursor} if cursor else {}
        message = {"jsonrpc": "2.0", "id": 1, "method": "resources/list", "params": params}
        body, took_s = self._ask("POST", ENDPOINT, json.dumps(message), _HEADERS)
        return json.loads(body)["result"].get("nextCursor"), took_s

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[bytes, float]:
        start_s = time.monotonic()
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        answer = response.read()
        took_s = time.monotonic() - start_s
        if response.status != 200:  # noqa: PLR2004 - the one status that is measured
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:200]!r}")
        return answer, took_s


def probe(client: Client, number: int, ended: Callable[[], bool]) -> Latency:
    """Read one document repeatedly until something has ended."""
    took_s: list[float] = []
    while not took_s or not ended():
        took_s.append(client.read(number)[1])
        time.sleep(PROBE_PAUSE_S)
    return latency(took_s)


def latency(took_s: list[float]) -> Latency:
    """Summarize times in seconds."""
    ordered = [1e3 * each for each in sorted(took_s)]
    return Latency(len(ordered), statistics.median(ordered), ordered[int(len(ordered) * 0.95)], ordered[-1])


def walk(page: Callable[[str | None], tuple[str | None, float]]) -> dict[str, Latency]:
    """Walk a listing from end to end; the pages of its second half are the deep ones."""
    first_s = [page(None)[1] for _ in range(FIRST_PAGES)]
    cursor, _ = page(None)
    took_s = []
    while cursor is not None:
        cursor, page_s = page(cursor)
        took_s.append(page_s)
    return {"first": latency(first_s), "deep": latency(took_s[len(took_s) // 2 :] or first_s)}


def after(seconds: float) -> Callable[[], bool]:
    """Return a function that tells whether some time is over."""
    end_s = time.monotonic() + seconds
    return lambda: time.monotonic() >= end_s


def change(client: Client, port: int, library: Path, changes: int, unchanged: int) -> dict[str, Any]:
    """Replace documents in another process, and read an unchanged one until all changes show."""
    command = [*pinned(LOAD_CORE), "nice", sys.executable, "-m", "benchmarks.scale"]
    looker = Client(port)
    hidden = list(range(0, changes, max(1, changes // SAMPLED)))
    start_s = time.monotonic()
    with subprocess.Popen([*command, "--rewrite", str(library), "--changes", str(changes)]) as writer:
        written_s: list[float] = []

        def is_over() -> bool:
            if writer.poll() is None:
                return False
            if not written_s:
                written_s.append(time.monotonic())
            if time.monotonic() - written_s[0] > SHOW_DEADLINE_S:
                raise RuntimeError(f"document {hidden[0]} never showed its change")
            if "Edition 2 " in looker.read(hidden[0])[0]:
                hidden.pop(0)
            return not hidden

        try:
            reads = probe(client, unchanged, is_over)
        finally:
            writer.kill()
    return {"reads": reads, "writing_s": written_s[0] - start_s, "shown_s": time.monotonic() - written_s[0]}


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure a small library, which is the floor, then the large one."""
    with tempfile.TemporaryDirectory(prefix="choirbook-scale-") as directory:
        scratch = Path(directory)
        with serving(plant(scratch / "small", 1), scratch / "small.log") as small:
            client = Client(small.port)
            floor = {"ready_s": small.ready_s, "reads": probe(client, 0, after(options.seconds))}
            floor_bytes = worker_bytes(small.pid)
        print(f"writing {options.files} files", file=sys.stderr)
        library = plant(scratch / "large", options.files)
        with serving(library, scratch / "large.log") as large:
            print("measuring", file=sys.stderr)
            client, last = Client(large.port), options.files - 1
            started_bytes = worker_bytes(large.pid)
            scanned = probe(client, last, after(options.seconds))
            listing = {"http": walk(client.http_page), "mcp": walk(client.mcp_page)}
            scanned_bytes = worker_bytes(large.pid)
            changed = change(client, large.port, library, options.changes, last)
            changed_bytes = worker_bytes(large.pid)
    grown = {"start": started_bytes, "scans": scanned_bytes, "change": changed_bytes}
    return {
        "environment": msgspec.to_builtins(machine()),
        "files": options.files,
        "changes": options.changes,
        "seconds": options.seconds,
        "floor": floor,
        "ready_s": large.ready_s,
        "bytes_per_resource": {k: (each - floor_bytes) / options.files for k, each in grown.items()},
        "listing": listing,
        "scanned": scanned,
        "changed": changed,
    }


def print_table(result: dict[str, Any]) -> None:
    """Print the figures as text."""
    print(f"{result['files']} files; of them {result['changes']} changed")
    print(f"start to ready, one file{result['floor']['ready_s']:8.2f} s")
    print(f"start to ready, all     {result['ready_s']:8.2f} s")
    for when, size in result["bytes_per_resource"].items():
        print(f"memory after {when:<11}{size / 1024:8.2f} KiB per resource")
    print(f"changes show after      {result['changed']['shown_s']:8.2f} s")
    print(f"{'requests':<34}{'count':>7}{'p50 ms':>9}{'p95 ms':>9}{'longest':>9}")
    rows = {
        "reads, one file": result["floor"]["reads"],
        "reads during scans": result["scanned"],
        f"reads while {result['changes']} files change": result["changed"]["reads"],
    }
    for surface, pages in result["listing"].items():
        rows |= {f"{surface} listing, {where} page": each for where, each in pages.items()}
    for name, each in rows.items():
        print(f"{name:<34}{each.requests:>7}{each.p50_ms:>9.2f}{each.p95_ms:>9.2f}{each.longest_ms:>9.2f}")


def as_json(value: Any) -> Any:
    """Return a result with latencies as plain values."""
    if isinstance(value, Latency):
        return value._asdict()
    return {key: as_json(each) for key, each in value.items()} if isinstance(value, dict) else value


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(prog="scripts/scale", description=__doc__)
    parser.add_argument("--files", type=int, default=100_000, help="number of documents (default 100000)")
    parser.add_argument(
        "--changes", type=int, default=10_000, help="number of files that change (default 10000)"
    )
    parser.add_argument(
        "--seconds", type=int, default=10, help="seconds of reading during scans (default 10)"
    )
    parser.add_argument("--json", action="store_true", help="print all figures and the environment")
    parser.add_argument("--rewrite", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not 0 < options.changes < options.files:
        parser.error("--changes must be at least 1 and less than --files")
    if options.rewrite is not None:
        rewrite(options.rewrite, options.changes)
        return
    if (os.cpu_count() or 1) <= max(SERVER_CORE, LOAD_CORE):
        sys.exit("scripts/scale cannot measure: two cores are needed, one for the server, one for the load.")
    result = measure(options)
    if options.json:
        print(json.dumps(as_json(result), indent=2))
    else:
        print_table(result)


if __name__ == "__main__":
    main()
