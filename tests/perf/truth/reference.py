"""An independent client: requests at a constant rate, whatever the server does, and a record of each.

Run as a process: `python -m tests.perf.truth.reference URL --rate 50 --out FILE`. SIGTERM stops it; it gives
requests under way `--patience` seconds, and then writes one JSON line for each request. One thread
waits in `select`, whose timeouts are exact to some 0.1 ms. It shares no code with the product's generators or
with the truth server.
"""

from __future__ import annotations

import argparse
import errno
import gc
import json
import random
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_READ_BYTES = 256 * 1024
_SELECT_LIMIT = 1024
"""Descriptors that `select` can wait for."""


@dataclass(slots=True)
class Sample:
    """One request. Times are seconds since the epoch, 0 for what did not happen."""

    intended_s: float
    sent_s: float = 0.0
    done_s: float = 0.0
    outcome: str = "open"
    """`ok`, or what was wrong; `open` if the client ended before the response."""


class Exchange:
    """One connection, and the request on it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(0)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.is_connected = False
        self.sample = Sample(0.0)
        self._received = bytearray()
        code = self.socket.connect_ex(address)
        if code not in {0, errno.EINPROGRESS}:
            raise OSError(code, "connect")

    def fileno(self) -> int:
        """Return the descriptor, for `select`."""
        return self.socket.fileno()

    def begin(self, sample: Sample) -> None:
        """Take on a request."""
        self.sample = sample
        self._received.clear()

    def send(self, request: bytes, now_s: float) -> None:
        """Send the request; it is small enough for any send buffer."""
        if not self.is_connected:
            code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, "connect")
            self.is_connected = True
        self.socket.send(request)
        self.sample.sent_s = now_s

    def receive(self, body: bytes | None) -> str:
        """Read what there is; return the outcome once the response is complete, "" before.

        Args:
            body: Content that is right; None accepts any.
        """
        data = self.socket.recv(_READ_BYTES)
        self._received += data
        head, end, rest = bytes(self._received).partition(b"\r\n\r\n")
        length = _length(head) if end else None
        if length is None or len(rest) < length:
            return "" if data else ("cut" if self._received else "closed")
        status = head[9:12].decode()
        if status != "200":
            return f"status {status}"
        return "ok" if body is None or rest == body else "wrong"

    def body(self) -> bytes:
        """Return the body of a complete response."""
        return bytes(self._received.partition(b"\r\n\r\n")[2])

    def is_reusable(self) -> bool:
        """Return whether the server lets the connection stay open after its response."""
        return b"\r\nconnection: close" not in self._received.lower()


class Client:
    """The client."""

    def __init__(self, url: str, rate: float, *, is_poisson: bool, seed: int) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        lines = [f"GET {parts.path or '/'} HTTP/1.1", f"Host: {parts.netloc}", "User-Agent: reference"]
        self._request = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self._gap_s = 1 / rate
        self._random = random.Random(seed) if is_poisson else None  # noqa: S311
        self._body: bytes | None = None
        self._connecting: list[Exchange] = []
        self._waiting: list[Exchange] = []
        self._idle: list[Exchange] = []
        self.samples: list[Sample] = []
        self.is_stopped = False

    def run(self, patience_s: float) -> None:
        """Send until stopped, then wait for the responses under way."""
        next_s = time.time()
        end_s = float("inf")
        while time.time() < end_s:
            now_s = time.time()
            if self.is_stopped and end_s == float("inf"):
                end_s = now_s + patience_s
            while next_s <= now_s and not self.is_stopped:
                self._start(Sample(next_s))
                next_s += self._random.expovariate(1 / self._gap_s) if self._random else self._gap_s
            if self.is_stopped and not (self._connecting or self._waiting):
                break
            self._wait(max(0.0, (min(end_s, now_s + 0.05) if self.is_stopped else next_s) - time.time()))

    def _start(self, sample: Sample) -> None:
        self.samples.append(sample)
        try:
            exchange = self._idle.pop() if self._idle else Exchange(self._address)
        except OSError as error:
            self._failed(sample, error)
            return
        exchange.begin(sample)
        if exchange.is_connected:
            self._send(exchange)
        else:
            self._connecting.append(exchange)

    def _wait(self, timeout_s: float) -> None:
        readable, writable = _ready([*self._waiting, *self._idle], self._connecting, timeout_s)
        now_s = time.time()
        for exchange in writable:
            self._connecting.remove(exchange)
            self._send(exchange)
        for exchange in readable:
            if exchange in self._idle:  # closed by the server between two requests
                self._idle.remove(exchange)
                exchange.socket.close()
            else:
                self._receive(exchange, now_s)

    def _send(self, exchange: Exchange) -> None:
        try:
            exchange.send(self._request, time.time())
        except OSError as error:
            self._failed(exchange.sample, error)
            exchange.socket.close()
        else:
            self._waiting.append(exchange)

    def _receive(self, exchange: Exchange, now_s: float) -> None:
        sample = exchange.sample
        try:
            outcome = exchange.receive(self._body)
        except OSError as error:
            self._waiting.remove(exchange)
            self._failed(sample, error)
            exchange.socket.close()
            return
        if not outcome:
            return
        self._waiting.remove(exchange)
        sample.done_s, sample.outcome = now_s, outcome
        if self._body is None and outcome == "ok":
            self._body = exchange.body()
        if outcome in {"cut", "closed"} or not exchange.is_reusable():
            exchange.socket.close()
        else:
            self._idle.append(exchange)

    @staticmethod
    def _failed(sample: Sample, error: OSError) -> None:
        sample.done_s = time.time()
        sample.outcome = errno.errorcode.get(error.errno or 0, "error")


def _ready(
    reading: list[Exchange], writing: list[Exchange], timeout_s: float
) -> tuple[list[Exchange], list[Exchange]]:
    """Wait for connections that can be read, or written to."""
    if all(exchange.fileno() < _SELECT_LIMIT for exchange in (*reading, *writing)):
        readable, writable, _ = select.select(reading, writing, [], timeout_s)
        return readable, writable
    # Whole milliseconds: with a thousand requests that wait, nobody looks for tenths.
    poll = select.poll()
    for exchange in reading:
        poll.register(exchange, select.POLLIN)
    for exchange in writing:
        poll.register(exchange, select.POLLOUT)
    ready = {descriptor for descriptor, _ in poll.poll(timeout_s * 1000)}
    return [each for each in reading if each.fileno() in ready], [
        each for each in writing if each.fileno() in ready
    ]


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    raise ValueError("The response has no length.")


def main(arguments: list[str]) -> None:
    """Run the client."""
    parser = argparse.ArgumentParser(prog="tests.perf.truth.reference")
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, required=True, help="Requests per second.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--patience", type=float, default=5.0, help="Seconds for requests under way.")
    parser.add_argument("--poisson", action="store_true", help="Send at random intervals.")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    client = Client(asked.url, asked.rate, is_poisson=asked.poisson, seed=asked.seed)

    def stop(*_: object) -> None:
        client.is_stopped = True

    signal.signal(signal.SIGTERM, stop)
    gc.disable()  # a collection would be a pause of the client's own
    print("ready", flush=True)
    client.run(asked.patience)
    with asked.out.open("w", encoding="utf-8") as out:
        for sample in client.samples:
            row = (sample.intended_s, sample.sent_s, sample.done_s, sample.outcome)
            out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
