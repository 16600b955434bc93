"""Measure search over a large library: index build, queries, and the effect of both on reads.

The library consists of the starter library's sections, shuffled. The server has one core, so the index takes
CPU time from the reads; the client has another. Prints a table, or JSON with the environment.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from benchmarks.processes import cpu_s, free_port, running
from benchmarks.sampler import SERVER_CORE, machine
from choirbook.settings import STARTER_LIBRARY

SEED = 7
IDLE_S = 2.0
PAUSE_S = 0.01
DEADLINE_S = 300.0
QUESTION_SHARE = 0.5
"""Share of queries that are headings; the others are adjacent words of a text."""


class Client:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def get(self, path: str) -> tuple[float, bytes]:
        """Return the latency of a GET in milliseconds, and its body."""
        start_s = time.perf_counter()
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != http.client.OK:
            raise RuntimeError(f"{path} answered {response.status}: {body[:200]!r}")
        return (time.perf_counter() - start_s) * 1000, body


def sections() -> list[str]:
    """Return the sections of the starter library's documents, as text."""
    found = []
    for path in sorted(STARTER_LIBRARY.rglob("*.md")):
        found += re.split(r"\n(?=## )", path.read_text("utf-8"))[1:]
    return found


def plant(root: Path, documents: int, size_bytes: int) -> None:
    """Write the library."""
    dice = random.Random(SEED)  # noqa: S311 - shuffles a benchmark
    texts = sections()
    root.mkdir()
    for number in range(documents):
        pieces, held = [f"# Document {number}\n"], 0
        while held < size_bytes:
            pieces.append(dice.choice(texts))
            held += len(pieces[-1])
        (root / f"d{number}.md").write_text("\n".join(pieces), "utf-8")


def queries(count: int) -> list[str]:
    """Return queries that a client might send: headings, and adjacent words of texts."""
    dice = random.Random(SEED)  # noqa: S311 - as above
    texts = sections()
    found = []
    for _ in range(count):
        text = dice.choice(texts)
        if dice.random() < QUESTION_SHARE:
            found.append(text.splitlines()[0].lstrip("# "))
        else:
            words = re.findall(r"[A-Za-z]{3,}", text)
            start = dice.randrange(max(1, len(words) - 3))
            found.append(" ".join(words[start : start + 3]))
    return found


@contextmanager
def reading(port: int, path: str) -> Iterator[list[float]]:
    """Read one resource repeatedly for as long as the context lasts; yields the latencies in ms."""
    latencies: list[float] = []
    ended = threading.Event()

    def read() -> None:
        client = Client(port)
        while not ended.is_set():
            latencies.append(client.get(path)[0])
            time.sleep(0.001)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield latencies
    finally:
        ended.set()
        thread.join()


def told(latencies_ms: list[float]) -> dict[str, float]:
    """Summarize latencies."""
    # During a short build there may be only one read, and one value has no quantiles.
    several = latencies_ms if len(latencies_ms) > 1 else latencies_ms * 2
    cuts = statistics.quantiles(several, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(latencies_ms)}


def rss_mib(pid: int) -> float:
    """Return the memory of the server's largest process, in MiB."""
    pids = [pid, *(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    pages = (int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in pids)
    return max(pages) * 4096 / 2**20


def build(client: Client) -> tuple[float, float, int]:
    """Search until the index is complete; return seconds to the first answer, to the end, and searches."""
    start_s = time.perf_counter()
    first_s, asked = 0.0, 0
    while time.perf_counter() - start_s < DEADLINE_S:
        _, body = client.get("/mcp/search?q=fixtures")
        asked += 1
        first_s = first_s or time.perf_counter() - start_s
        if json.loads(body)["complete"]:
            return first_s, time.perf_counter() - start_s, asked
    raise RuntimeError(f"the index was not complete after {DEADLINE_S:.0f} s")


def search(client: Client, count: int) -> Iterator[float]:
    """Search with pauses, as agents do; yields the latencies in ms."""
    for query in queries(count):
        yield client.get(f"/mcp/search?q={quote(query)}")[0]
        time.sleep(PAUSE_S)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run everything once."""
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        plant(scratch / "library", options.documents, options.kib * 1024)
        port = free_port()
        command = [sys.executable, "-m", "choirbook", "serve", str(scratch / "library"), "--port", str(port)]
        document = "/mcp/resources/files/d0.md"
        start_s = time.perf_counter()
        with running(command, f"http://127.0.0.1:{port}{document}", scratch / "log", SERVER_CORE) as process:
            started_s = time.perf_counter() - start_s
            client = Client(port)
            with reading(port, document) as idle:
                time.sleep(IDLE_S)
            before_mib, before_s = rss_mib(process.pid), cpu_s(process.pid)
            with reading(port, document) as building:
                first_s, build_s, _ = build(client)
            built_mib, built_s = rss_mib(process.pid), cpu_s(process.pid)
            with reading(port, document) as searching:
                asked = list(search(client, options.queries))
    return {
        "environment": msgspec.to_builtins(machine()),
        "documents": options.documents,
        "document_kib": options.kib,
        "start_to_first_read_s": started_s,
        "first_search_s": first_s,
        "build_s": build_s,
        "build_cpu_s": built_s - before_s,
        "memory_mib": {"before": before_mib, "after": built_mib},
        "search_ms": told(asked),
        "read_ms": {"idle": told(idle), "while_building": told(building), "while_searching": told(searching)},
    }


def print_table(result: dict[str, Any]) -> None:
    """Print the results as text."""
    print(f"{result['documents']} documents of {result['document_kib']} KiB, the server on one core")
    print(f"start to first read {result['start_to_first_read_s']:.2f} s")
    print(
        f"index built in {result['build_s']:.1f} s ({result['build_cpu_s']:.1f} s of CPU, reads included), "
        f"first answer after {result['first_search_s']:.2f} s"
    )
    memory = result["memory_mib"]
    print(f"memory {memory['before']:.0f} MiB before, {memory['after']:.0f} after")
    print(f"{'ms':<24}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}")
    rows = {"search": result["search_ms"]} | {f"read, {name}": row for name, row in result["read_ms"].items()}
    for name, row in rows.items():
        print(f"{name:<24}" + "".join(f"{row[key]:>8.2f}" for key in ("p50", "p95", "p99", "max")))


def main() -> int:
    """Run the measurement."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--kib", type=int, default=10, help="size of a document (default 10)")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--json", action="store_true", help="print the outcome with the environment")
    options = parser.parse_args()
    result = measure(options)
    print(json.dumps(result, indent=2)) if options.json else print_table(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
