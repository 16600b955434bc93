"""More requests than a server can answer: an open loop that never waits, in a process of its own.

Run as a program with a `Plan` as JSON for its argument, it floods for as long as the plan says and prints an
`Outcome` as JSON. It verifies status and `Retry-After` only, so that it can send several thousand a second.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress

import msgspec

from tests.support.servers import DEADLINE_S, REPOSITORY, environment

LATEST_S = 10.0
"""After the end; what was not answered by then is not waited for."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Requests to send."""

    port: int
    paths: list[str]
    """Asked for by `GET`, in turns."""
    rate_per_s: float
    """0 asks anew over each connection as soon as it was answered."""
    connections: int
    seconds: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a flood."""

    sent: int
    statuses: dict[int, int]
    """Answers by status."""
    p95_ms: dict[int, float]
    """95th percentile of the latency by status, from when the request was due."""
    without_retry_after: int
    """Answers of status 503 that did not say when to come again."""
    unanswered: int
    """Requests over connections that ended, or that were not answered within `LATEST_S`."""
    seconds: float
    """From the first request to the last answer."""


class _Flood:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.requests = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in plan.paths]
        self.sent = self.without_retry_after = 0
        self.latencies_s: dict[int, list[float]] = {}
        self.idle: deque[_Connection] = deque()
        self.waiting: deque[float] = deque()
        self.end_s = 0.0
        self.last_s = 0.0
        self.is_over = asyncio.Event()

    def answered(self, connection: _Connection, status: int, *, has_retry_after: bool) -> None:
        self.last_s = time.monotonic()
        self.latencies_s.setdefault(status, []).append(self.last_s - connection.due_s)
        self.without_retry_after += status == 503 and not has_retry_after
        if self.waiting:
            connection.send(self.waiting.popleft())
        elif not self.plan.rate_per_s and self.last_s < self.end_s:
            connection.send(self.last_s)
        else:
            self.idle.append(connection)
            if self.last_s >= self.end_s and not self._open():
                self.is_over.set()

    def ask(self, due_s: float) -> None:
        if self.idle:
            self.idle.popleft().send(due_s)
        else:
            self.waiting.append(due_s)

    def next_request(self) -> bytes:
        self.sent += 1
        return self.requests[self.sent % len(self.requests)]

    async def run(self) -> Outcome:
        loop = asyncio.get_running_loop()
        for _ in range(self.plan.connections):
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.plan.port)
        start_s = time.monotonic()
        self.end_s = start_s + self.plan.seconds
        due = 0
        if not self.plan.rate_per_s:
            for _ in range(len(self.idle)):
                self.ask(start_s)
        while (now_s := time.monotonic()) < self.end_s:
            while self.plan.rate_per_s and start_s + due / self.plan.rate_per_s <= now_s:
                self.ask(start_s + due / self.plan.rate_per_s)
                due += 1
            await asyncio.sleep(0.001)
        if self._open():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.is_over.wait(), LATEST_S)
        return self._outcome(start_s)

    def _open(self) -> int:
        return self.sent + len(self.waiting) - sum(map(len, self.latencies_s.values()))

    def _outcome(self, start_s: float) -> Outcome:
        return Outcome(
            sent=self.sent,
            statuses={status: len(each) for status, each in self.latencies_s.items()},
            p95_ms={
                status: sorted(each)[int(len(each) * 0.95)] * 1000
                for status, each in self.latencies_s.items()
            },
            without_retry_after=self.without_retry_after,
            unanswered=self._open(),
            seconds=self.last_s - start_s,
        )


class _Connection(asyncio.Protocol):
    def __init__(self, flood: _Flood) -> None:
        self._flood = flood
        self._received = bytearray()
        self.due_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._flood.idle.append(self)

    def send(self, due_s: float) -> None:
        self.due_s = due_s
        self._transport.write(self._flood.next_request())

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        head_end = received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(received[: head_end + 2]).lower()
        at = head.index(b"content-length: ") + len(b"content-length: ")
        size = int(head[at : head.index(b"\r\n", at)])
        if len(received) < head_end + 4 + size:
            return
        del received[: head_end + 4 + size]
        self._flood.answered(self, int(head[9:12]), has_retry_after=b"\r\nretry-after: " in head)


def flood(plan: Plan) -> Outcome:
    """Carry a plan out, and return what came of it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.flood", msgspec.json.encode(plan).decode()],
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.PIPE,
        timeout=plan.seconds + DEADLINE_S,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Outcome)


if __name__ == "__main__":
    made = asyncio.run(_Flood(msgspec.json.decode(sys.argv[1], type=Plan)).run())
    sys.stdout.buffer.write(msgspec.json.encode(made))
