"""A reader at a fixed rate who checks status, length, ETag, and a checksum inside each document."""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.trees import plant

LINE = "Names are kept when things move, and things are named for what they are: {}.\n"


def document(name: str, lines: int) -> bytes:
    """Make a document whose first line holds its name and the digest of the rest."""
    rest = "".join(LINE.format(number) for number in range(lines)).encode()
    return f"# {name} {hashlib.sha256(rest).hexdigest()}\n".encode() + rest


def plant_documents(root: Path, count: int) -> list[str]:
    """Write documents of many lengths, and return their names."""
    names = [f"document-{number:03}" for number in range(count)]
    plant(root, {f"{name}.md": document(name, 5 + 7 * number) for number, name in enumerate(names)})
    return names


@dataclass
class Findings:
    """What came of the reads."""

    latencies_ms: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    served_from: set[str] = field(default_factory=set)

    @property
    def p95_ms(self) -> float:
        return sorted(self.latencies_ms)[int(len(self.latencies_ms) * 0.95)]


class Reader:
    """Reads documents in turns, raw and as JSON, over one connection.

    Args:
        port: Of the server.
        names: See `plant_documents`.
        rate_per_s: Reads that are begun each second, whatever became of those before.
    """

    def __init__(self, port: int, names: list[str], rate_per_s: float) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._names = names
        self._pause_s = 1 / rate_per_s
        self._stopped = threading.Event()
        self._tags: dict[str, str] = {}
        self.findings = Findings()

    def stop(self) -> None:
        """Have `run` return."""
        self._stopped.set()

    def run(self) -> None:
        """Read until `stop`."""
        due_s, number = time.perf_counter(), 0
        while not self._stopped.wait(max(0.0, due_s - time.perf_counter())):
            name, is_raw = self._names[number // 2 % len(self._names)], number % 2 == 0
            try:
                self._read(name, is_raw=is_raw)
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                self.findings.failures.append(f"{name}: {error!r}")
                self._connection.close()
            # From when it was due: a late answer delays those after it, and that counts.
            self.findings.latencies_ms.append((time.perf_counter() - due_s) * 1000)
            due_s, number = due_s + self._pause_s, number + 1
        self._connection.close()

    def _read(self, name: str, *, is_raw: bool) -> None:
        path = f"/mcp/resources/files/{name}.md"
        self._connection.request("GET", path + ("?format=raw" if is_raw else ""))
        response = self._connection.getresponse()
        body = response.read()
        self.findings.served_from.add(response.headers["x-cache"])
        text = body if is_raw else json.loads(body)["content"].encode()
        head, _, rest = text.partition(b"\n")
        tag = self._tags.setdefault(f"{name}{is_raw}", response.headers["etag"])
        wrong = {
            "status": response.status != 200,
            "length": int(response.headers["content-length"]) != len(body),
            "ETag": response.headers["etag"] != tag,
            "checksum": head.decode() != f"# {name} {hashlib.sha256(rest).hexdigest()}",
        }
        if any(wrong.values()):
            raise ValueError([what for what, is_wrong in wrong.items() if is_wrong])


@contextmanager
def reading(port: int, names: list[str], rate_per_s: float = 150.0) -> Iterator[Findings]:
    """Read for as long as the context lasts."""
    reader = Reader(port, names, rate_per_s)
    thread = threading.Thread(target=reader.run, name="reader")
    thread.start()
    try:
        yield reader.findings
    finally:
        reader.stop()
        thread.join(30)
