"""A verifying load at a fixed rate, in a process of its own.

An open loop: requests leave when they are due, however long the answers before them take, and latency counts
from when a request was due. Run as a program with a `Plan` as JSON for its argument, it says `started`, loads
until its stdin ends, each line of which names a window, and prints a `Summary` as JSON. Times are those of
the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from base64 import b64encode
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from tests.faults.connection import LATE, LOST, Connection
from tests.faults.documents import path_of, uri_of
from tests.faults.judging import FORMS, HANDSHAKE, JSON, MODERN, RAW, Judge, Wrong
from tests.support.servers import DEADLINE_S, REPOSITORY, environment, message, wait_for

MAX_EXAMPLES = 3
MAX_FAILURES_KEPT = 2000
MAX_CONNECTIONS = 400
CONDITIONAL_EVERY = 5
"""Number of `GET` reads of which one is conditional."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Load to generate."""

    port: int
    names: list[str]
    rate_per_s: float = 150.0
    forms: tuple[str, ...] = FORMS
    connections: int = 16
    """Opened before the load starts, and used in turns; more where these are not enough."""
    fresh: bool = False
    """Use a connection of its own for each request."""
    timeout_s: float = 10.0
    resend: bool = False
    """Ask again, once, over a new connection when one that was used before ends without an answer, as HTTP
    clients do: the server may have closed it while the request was on its way (RFC 9110, 9.2.2)."""


class Failure(msgspec.Struct, frozen=True):
    """A request that failed."""

    kind: str
    asked_s: float
    ended_s: float
    is_first: bool
    """Whether nothing had come over its connection before."""


class Sighting(msgspec.Struct):
    """When a version of a document was seen."""

    first_answered_s: float
    last_asked_s: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a load."""

    requests: int
    failures: dict[str, int]
    """By kind: see `connection` and `judging`."""
    examples: dict[str, list[str]]
    failed: list[Failure]
    latency_ms: dict[str, float]
    """p50, p95, p99 and max of the requests that were answered well."""
    windows: dict[str, dict[str, float]]
    """The same, by the name of the window in which a request was due; see `Load.window`."""
    sightings: dict[str, dict[int, Sighting]]
    """By document and version."""
    served: dict[str, int]
    """Answers by what their `X-Cache` said."""
    connections: int
    """Opened in all."""
    resent: int
    """Requests that were sent again, see `Plan.resend`."""

    def count(self, *kinds: str) -> int:
        """Return how many requests failed in some ways, in any when none is named."""
        return sum(count for kind, count in self.failures.items() if not kinds or kind in kinds)

    def staleness_ms(self, published_s: dict[str, dict[int, float]]) -> list[float]:
        """Return, for each version that a writer replaced, how long after that it was still given out.

        Args:
            published_s: When each version of each document was whole, from the writer's log.
        """
        found = []
        for name, times_s in published_s.items():
            seen = self.sightings.get(name, {})
            for version, replaced_s in times_s.items():
                asked_s = [each.last_asked_s for older, each in seen.items() if older < version]
                if asked_s:
                    found.append(max(0.0, max(asked_s) - replaced_s) * 1000)
        return found


def request_bytes(form: str, name: str, tag: str | None, *, close: bool) -> bytes:
    """Spell a request."""
    headers = {"host": "localhost", "accept": "*/*"}
    if close:
        headers["connection"] = "close"
    if form in {RAW, JSON}:
        start = f"GET {path_of(name)}{'?format=raw' if form == RAW else ''} HTTP/1.1"
        if tag is not None:
            headers["if-none-match"] = tag
        return _spell(start, headers, b"")
    body = json.dumps(message(form, "resources/read", uri=uri_of(name))).encode()
    headers |= {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    if form == MODERN:
        encoded = b64encode(uri_of(name).encode()).decode()
        headers |= {"mcp-protocol-version": "2026-07-28", "mcp-method": "resources/read"}
        headers["mcp-name"] = f"=?base64?{encoded}?="
    else:
        assert form == HANDSHAKE, form
    return _spell("POST /mcp HTTP/1.1", headers | {"content-length": str(len(body))}, body)


def _spell(start: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = [start, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


class Client:
    """Carries a plan out."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._judge = Judge()
        self._idle: deque[Connection] = deque()
        self._room = asyncio.Semaphore(MAX_CONNECTIONS)
        self._tags: dict[tuple[str, str], str] = {}
        self._latencies_s: defaultdict[str, list[float]] = defaultdict(list)
        self._served: Counter[str] = Counter()
        self.window = ""
        """Name under which the requests that are due from now on are counted."""
        self._kinds: Counter[str] = Counter()
        self._examples: defaultdict[str, list[str]] = defaultdict(list)
        self._failed: list[Failure] = []
        self._sightings: defaultdict[str, dict[int, Sighting]] = defaultdict(dict)
        self._requests = self._opened = self._resent = 0

    async def run(self, stop: asyncio.Event) -> Summary:
        """Load until told to stop, and wait for what is under way."""
        if not self._plan.fresh:
            for _ in range(self._plan.connections):
                self._idle.append(await self._open())
        print("started", flush=True)
        async with asyncio.TaskGroup() as group:
            start_s = time.monotonic()
            while not stop.is_set():
                due_s = start_s + self._requests / self._plan.rate_per_s
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                group.create_task(self._request(self._requests, due_s, self.window))
                self._requests += 1
        for connection in self._idle:
            await connection.close()
        return self._summary()

    async def _open(self) -> Connection:
        self._opened += 1
        return await Connection.open(self._plan.port)

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.popleft()
            if connection.is_open:
                return connection
            await connection.close()
        return await self._open()

    async def _request(self, number: int, due_s: float, window: str) -> None:
        plan = self._plan
        form = plan.forms[number % len(plan.forms)]
        name = plan.names[number // len(plan.forms) % len(plan.names)]
        tag = self._tags.get((form, name)) if number // len(plan.forms) % CONDITIONAL_EVERY == 0 else None
        asked_s = time.monotonic()
        try:
            async with self._room, asyncio.timeout(plan.timeout_s):
                await self._exchange(form, name, tag)
        except Wrong as error:
            self._fail(error.kind, str(error), asked_s, is_first=error.is_first)
        except TimeoutError:
            self._fail(LATE, f"{form} {name}: not within {plan.timeout_s:g} s", asked_s, is_first=False)
        else:
            self._latencies_s[window].append(time.monotonic() - due_s)

    async def _exchange(self, form: str, name: str, tag: str | None) -> None:
        connection = await self._take()
        try:
            await self._ask(connection, form, name, tag)
        except Wrong as error:
            error.is_first = not connection.floors
            if error.kind != LOST or error.is_first or not self._plan.resend:
                raise
            self._resent += 1
            await self._ask(await self._open(), form, name, tag)

    async def _ask(self, connection: Connection, form: str, name: str, tag: str | None) -> None:
        floor, asked_s = connection.floors.get(name, 0), time.monotonic()
        is_kept = False
        try:
            answer = await connection.exchange(request_bytes(form, name, tag, close=self._plan.fresh))
            version, seen_tag = self._judge.judge(form, name, answer, tag)
            if version < floor:
                raise Wrong("went back", f"{form} {name}: version {version} after {floor}")
            connection.floors[name] = version
            self._tags[form, name] = seen_tag
            self._served[answer.headers.get("x-cache", "")] += 1
            self._see(name, version, asked_s)
            is_kept = connection.is_open and not self._plan.fresh
        finally:
            if is_kept:
                self._idle.append(connection)
            else:
                await connection.close()

    def _see(self, name: str, version: int, asked_s: float) -> None:
        seen = self._sightings[name].setdefault(version, Sighting(time.monotonic(), asked_s))
        seen.last_asked_s = max(seen.last_asked_s, asked_s)

    def _fail(self, kind: str, what: str, asked_s: float, *, is_first: bool) -> None:
        self._kinds[kind] += 1
        if len(self._examples[kind]) < MAX_EXAMPLES:
            self._examples[kind].append(what)
        if len(self._failed) < MAX_FAILURES_KEPT:
            self._failed.append(Failure(kind, asked_s, time.monotonic(), is_first))

    def _summary(self) -> Summary:
        return Summary(
            requests=self._requests,
            failures=dict(self._kinds),
            examples=dict(self._examples),
            failed=self._failed,
            latency_ms=_shares_ms([each for some in self._latencies_s.values() for each in some]),
            windows={name: _shares_ms(some) for name, some in self._latencies_s.items()},
            sightings=dict(self._sightings),
            served=dict(self._served),
            connections=self._opened,
            resent=self._resent,
        )


def _shares_ms(latencies_s: list[float]) -> dict[str, float]:
    ordered_ms = sorted(each * 1000 for each in latencies_s) or [0.0]
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    last = len(ordered_ms) - 1
    return {name: ordered_ms[min(last, int(share * len(ordered_ms)))] for name, share in shares.items()}


class Load:
    """A load that runs in its own process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._summary: Summary | None = None

    def window(self, name: str) -> None:
        """Count the requests that are due from now on separately, in `Summary.windows`."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name}\n".encode())

    def spend(self, seconds: float, window: str = "") -> None:
        """Let it run for a while."""
        self.window(window)
        end_s = time.monotonic() + seconds
        wait_for(lambda: time.monotonic() > end_s, "the load has run", seconds + 10)
        assert self._process.poll() is None, "the load client ended by itself; stderr says why"

    def finish(self) -> Summary:
        """End it, and return the result."""
        if self._summary is None:
            printed, _ = self._process.communicate(timeout=DEADLINE_S)
            assert self._process.returncode == 0, "the load client ended with an error; stderr says which"
            self._summary = msgspec.json.decode(printed, type=Summary)
        return self._summary


@contextmanager
def loading(port: int, names: list[str], **options: Any) -> Iterator[Load]:
    """Load a server while the context lasts, or until `finish`.

    Args:
        port: On loopback.
        names: Of documents.
        options: See `Plan`.
    """
    plan = Plan(port=port, names=names, **options)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.load", msgspec.json.encode(plan).decode()],
        cwd=REPOSITORY,
        env=environment(),
        stdin=subprocess.PIPE,
        bufsize=0,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n", "the load did not start; stderr says why"
        yield Load(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def describe(summary: Summary) -> str:
    """Say what came of a load, for the message of a failed assertion."""
    return f"{summary.requests} requests, failed: {summary.failures}, such as {summary.examples}"


async def _main(plan: Plan) -> Summary:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    client = Client(plan)

    async def listen() -> None:
        while line := await reader.readline():
            client.window = line.decode().strip()
        stop.set()

    ending = asyncio.create_task(listen())
    summary = await client.run(stop)
    await ending
    return summary


if __name__ == "__main__":
    done = asyncio.run(_main(msgspec.json.decode(sys.argv[1], type=Plan)))
    sys.stdout.buffer.write(msgspec.json.encode(done))
