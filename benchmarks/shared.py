"""Measure the cost of a miss: from a local disk, and from Redis. Basis of docs/adr/0007.

Both paths are Choirbook's own, in one process, in turns: reading and rendering on a thread, and a look-up
in the shared level with all its checks. Redis runs on this machine, so that no network is faster.
Prints a table, or JSON with the environment.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.processes import free_port
from benchmarks.sampler import machine
from choirbook.catalog.catalog import Catalog
from choirbook.documents.rendering import Stamp, render
from choirbook.library.scanner import load_catalog, open_library
from choirbook.model import Content, Form, Representation, ResourceInfo
from choirbook.redis.codec import RepresentationCodec
from choirbook.redis.connection import RedisConnection
from choirbook.redis.feed import Feed
from choirbook.redis.keys import RedisKeys
from choirbook.redis.signatures import Signer
from choirbook.redis.store import SharedStore
from choirbook.redis.url import parse_redis_url
from choirbook.runtime.threads import Threads
from choirbook.settings import STARTER_LIBRARY
from choirbook.sources.filesystem import FilesystemSource

FORMS = (Form.RAW, Form.JSON, Form.MCP_MODERN, Form.RAW_GZIP, Form.RAW_ZSTD, Form.RAW_BR)
STAMP = Stamp(1000, {"name": "choirbook", "version": "0"})
START_DEADLINE_S = 10.0
_MAX_BYTES = 8 * 1024 * 1024


class Cost(NamedTuple):
    """Median costs of one path to a form."""

    wall_us: float
    cpu_us: float
    """CPU time of all threads of this process; that of Redis comes on top."""


class Row(NamedTuple):
    """Costs of one form."""

    form: str
    body_bytes: int
    source: Cost
    redis: Cost


async def measure(root: Path, url: str, rounds: int) -> list[Row]:
    """Measure every form of the one document of a library."""
    source, rules = await asyncio.to_thread(open_library, root, _MAX_BYTES)
    catalog, _ = await asyncio.to_thread(load_catalog, source, rules)
    threads = Threads(1)
    keys = RedisKeys(rules.name, STAMP)
    signer = Signer([secrets.token_hex(32)])
    codec = RepresentationCodec(signer, STAMP)
    shared = SharedStore(Feed(RedisConnection(parse_redis_url(url)), keys, signer), keys, codec, 300.0)
    feed = shared.feed
    shared.start()
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            await feed.wait_up()
        return [await _measure_form(source, catalog, threads, shared, codec, form, rounds) for form in FORMS]
    finally:
        await shared.stop()
        threads.close()


async def _measure_form(
    source: FilesystemSource,
    catalog: Catalog,
    threads: Threads,
    shared: SharedStore,
    codec: RepresentationCodec,
    form: Form,
    rounds: int,
) -> Row:
    (info,) = catalog.page(None, 1).infos
    slot = shared.slot(info, form, source.portable(info.version))

    async def from_source() -> Representation:
        return await threads.run(_read_and_render, source, info, form)

    async def from_redis() -> Representation:
        found = await shared.get(slot)
        if found is None:
            raise RuntimeError(f"Redis did not answer with the {form} form: {dict(shared.lookups)}")
        return found

    made = await from_source()
    await shared.connection.call("SET", slot.key, codec.pack(slot.key, made), parse=lambda _: None)
    ways: dict[str, Callable[[], Awaitable[Representation]]] = {"source": from_source, "redis": from_redis}
    spent: dict[str, list[Cost]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            found = await way()
            spent[name].append(Cost(time.perf_counter() - wall_s, time.process_time() - cpu_s))
            if found.body != made.body:
                raise RuntimeError(f"the {form} form from {name} is not the one that was made")
    return Row(form.value, len(made.body), _medians(spent["source"]), _medians(spent["redis"]))


def _read_and_render(source: FilesystemSource, info: ResourceInfo, form: Form) -> Representation:
    content: Content = source.read(info.path, info.version)
    return render(info, content, form, STAMP)


def _medians(costs: list[Cost]) -> Cost:
    wall_s = statistics.median(cost.wall_us for cost in costs)
    cpu_s = statistics.median(cost.cpu_us for cost in costs)
    return Cost(round(wall_s * 1e6, 1), round(cpu_s * 1e6, 1))


@contextmanager
def redis_server(directory: Path) -> Iterator[str]:
    """Run a Redis for as long as the context lasts, and yield its URL.

    Raises:
        FileNotFoundError: It is not installed.
    """
    program = shutil.which("redis-server")
    if program is None:
        raise FileNotFoundError(
            "redis-server is not installed. Install it with: apt-get install redis-server"
        )
    port = free_port()
    where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory)]
    process = subprocess.Popen(
        [program, *where, "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL, cwd=directory
    )
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


def _table(rows: list[Row]) -> str:
    lines = ["form        bytes   source: us   CPU us   redis: us   CPU us"]
    lines += [
        f"{row.form:<10} {row.body_bytes:>6} {row.source.wall_us:>12.0f} {row.source.cpu_us:>8.0f}"
        f" {row.redis.wall_us:>11.0f} {row.redis.cpu_us:>8.0f}"
        for row in rows
    ]
    return "\n".join(lines)


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shared", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000, help="reads of each form in each way")
    parser.add_argument("--bytes", type=int, default=20_000, help="approximate size of the document")
    parser.add_argument("--json", action="store_true", help="print JSON")
    found = parser.parse_args(arguments)
    if found.rounds < 1 or not 1 <= found.bytes <= _MAX_BYTES // 2:
        parser.error("--rounds must be at least 1, --bytes between 1 and 4194304")
    return found


def main(arguments: list[str]) -> int:
    """Measure, and return the exit status."""
    chosen = _arguments(arguments)
    with tempfile.TemporaryDirectory(prefix="choirbook-shared-") as scratch:
        root = Path(scratch) / "library"
        root.mkdir()
        # Real prose: repetitive text compresses faster than any document does.
        prose = b"".join(path.read_bytes() for path in sorted(STARTER_LIBRARY.glob("patterns/**/*.md")))
        (root / "document.md").write_bytes((prose * (chosen.bytes // len(prose) + 1))[: chosen.bytes])
        try:
            with redis_server(Path(scratch)) as url:
                rows = asyncio.run(measure(root, url, chosen.rounds))
        except (FileNotFoundError, RuntimeError) as error:
            print(f"shared: {error}", file=sys.stderr)
            return 1
    if chosen.json:
        result = {"rows": [_plain(row) for row in rows], "environment": msgspec.to_builtins(machine())}
        print(json.dumps(result, indent=2))
    else:
        print(_table(rows))
    return 0


def _plain(row: Row) -> dict[str, object]:
    return {**row._asdict(), "source": row.source._asdict(), "redis": row.redis._asdict()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
