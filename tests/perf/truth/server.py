"""An HTTP server that does what it is told to each request, and logs exactly what it did.

Run as a process: `python -m tests.perf.truth.server MODE --log FILE [NAME=VALUE ...]`. Modes and their
options are in `modes`. It prints its URL, serves the documents `/doc` and `/reference`, the first one also by
MCP at `/mcp`, and ends with SIGTERM. It shares no code with the load generators that it judges.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import selectors
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import cast

import msgspec

from tests.perf.truth import mcp
from tests.perf.truth.log import PRODUCT, REFERENCE, Record
from tests.perf.truth.modes import ANSWERED, OK, Act, Arrival, Kill, Mode, make_mode

BODY = b"".join(b"%06d This is the document that every client is to receive.\n" % line for line in range(33))
"""Content of both documents: 2 KB."""

_DIFFERENT = BODY[:700] + b"OTHER" + BODY[705:]
_LONGER = BODY + b"a line too many\n"
_BODIES = {"wrong": _DIFFERENT, "longer": _LONGER}

_MANY_CONNECTIONS = {"hang", "drop", "queue"}
"""Modes in which thousands of requests may wait at once."""
_TEXT, _JSON = "text/plain", "application/json"
_RESET = struct.pack("ii", 1, 0)
_BACKLOG = 4096
_LOG_BYTES = 8 * 1024
"""Buffer of the log: a few dozen requests. Tests look at it to see that a load has begun."""
_MAX_HEAD_BYTES = 64 * 1024
_REASONS = {200: "OK", 302: "Found", 307: "Temporary Redirect", 401: "Unauthorized", 404: "Not Found"}


class Truth:
    """Mode, log and counts of the server."""

    def __init__(self, mode: Mode, log: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.mode = mode
        self.loop = loop
        self.busy: set[Connection] = set()
        self.connections = dict.fromkeys((PRODUCT, REFERENCE), 0)
        self.requests = dict.fromkeys((PRODUCT, REFERENCE), 0)
        self._log = log.open("wb", buffering=_LOG_BYTES)
        self._epoch_s = time.time() - loop.time()
        self._began_s: float | None = None

    def began_s(self, now_s: float) -> float:
        """Return when the first document was asked for, by the clock of the loop."""
        if self._began_s is None:
            self._began_s = now_s
            if isinstance(self.mode, Kill):
                self.loop.call_at(now_s + self.mode.from_s, self._kill)
        return self._began_s

    def note(self, asked: Asked, did: str, ended_s: float) -> None:
        """Log what was done to a request."""
        record = Record(
            path=asked.path,
            number=asked.number,
            connection=asked.connection,
            arrived_s=asked.arrived_s + self._epoch_s,
            due_s=asked.due_s + self._epoch_s,
            ended_s=ended_s + self._epoch_s,
            did=did,
            agent=asked.agent,
        )
        self._log.write(msgspec.json.encode(record) + b"\n")

    def end(self) -> None:
        """Complete the log."""
        self._log.close()

    def _kill(self) -> None:
        now_s = self.loop.time()
        for connection in list(self.busy):
            if connection.asked is not None:
                self.note(connection.asked, "killed", now_s)
        self._log.flush()
        os.kill(os.getpid(), signal.SIGKILL)


class Asked(msgspec.Struct):
    """A request for a document that waits for its end. Times are of the loop's clock."""

    path: str
    number: int
    connection: int
    arrived_s: float
    due_s: float
    agent: str
    call: mcp.Call | None = None
    """The request as one of MCP; None if it is a plain GET."""

    def content(self, what: str) -> bytes:
        """Return the body of the response."""
        document = _BODIES.get(what, BODY)
        return document if self.call is None else mcp.contents(self.call, document)


class Connection(asyncio.Protocol):
    """One connection: requests in turn, each answered before the next one is looked at."""

    def __init__(self, truth: Truth) -> None:
        self.asked: Asked | None = None
        self._truth = truth
        self._numbers: dict[str, int] = {}
        self._received = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        made = transport.get_extra_info("socket")
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - of the protocol
        if self._timer is not None:
            self._timer.cancel()
        if self.asked is not None:
            self._truth.note(self.asked, "abandoned", self._truth.loop.time())
            self.asked = None
        self._truth.busy.discard(self)

    def _next(self) -> None:
        """Begin the next request, if it is complete and none is under way."""
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if self in self._truth.busy:
            return
        if not end:
            if len(head) > _MAX_HEAD_BYTES:
                self._transport.abort()
            return
        headers = _headers(head)
        length = int(headers.get(b"content-length", b"0"))
        if len(rest) < length:
            return
        self._received = rest[length:]
        path = head.split(b" ", 2)[1].decode("latin-1")
        agent = headers.get(b"user-agent", b"").decode("latin-1")
        if path in self._truth.requests:
            self._begin(path, agent)
        elif path == mcp.ENDPOINT and length:
            self._begin_call(mcp.parse(rest[:length]), agent)
        else:
            self._transport.write(_head(404, 0))
            self._next()

    def _begin_call(self, call: mcp.Call, agent: str) -> None:
        if call.method == mcp.READ:
            self._begin(PRODUCT, agent, call)
        else:
            body = mcp.reply(call)
            self._transport.write(_head(OK, len(body), kind=_JSON) + body)
            self._next()

    def _begin(self, path: str, agent: str, call: mcp.Call | None = None) -> None:
        truth = self._truth
        now_s = truth.loop.time()
        began_s = truth.began_s(now_s)
        if path not in self._numbers:
            truth.connections[path] += 1
            self._numbers[path] = truth.connections[path]
        truth.requests[path] += 1
        arrival = Arrival(now_s - began_s, truth.requests[path], self._numbers[path])
        act = truth.mode.act(arrival)
        due_s = began_s + act.due_s
        self.asked = Asked(path, arrival.number, arrival.connection, now_s, due_s, agent, call)
        truth.busy.add(self)
        if act.what == "held":
            truth.note(self.asked, act.what, now_s)
            self.asked = None  # it is logged, and stays busy
        elif act.pieces > 1:
            body = self.asked.content(act.what)
            self._transport.write(_head(act.status, len(body), kind=_kind(call)))
            self._send_piece(act, body, 1)
        elif due_s <= now_s:
            self._finish(act)
        else:
            self._timer = truth.loop.call_at(due_s, self._finish, act)

    def _send_piece(self, act: Act, body: bytes, number: int) -> None:
        """Send all pieces but the last, which `_finish` sends when the response is due."""
        asked = self.asked
        assert asked is not None
        size = len(body) // act.pieces
        self._transport.write(body[(number - 1) * size : number * size])
        at_s = asked.arrived_s + (asked.due_s - asked.arrived_s) * number / (act.pieces - 1)
        if number < act.pieces - 1:
            self._timer = self._truth.loop.call_at(at_s, self._send_piece, act, body, number + 1)
        else:
            self._timer = self._truth.loop.call_at(asked.due_s, self._finish, act)

    def _finish(self, act: Act) -> None:
        asked = self.asked
        assert asked is not None
        self._timer = None
        body, kind = asked.content(act.what), _kind(asked.call)
        if act.what == "dropped":
            self._transport.close()
        elif act.what == "cut":
            self._transport.write(_head(act.status, len(body), kind=kind) + body[: len(body) // 2])
            made = self._transport.get_extra_info("socket")
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()
        elif act.status != OK:
            self._transport.write(_head(act.status, 0, asked.path))
        elif act.pieces > 1:
            self._transport.write(body[len(body) // act.pieces * (act.pieces - 1) :])
        else:
            self._transport.write(_head(act.status, len(body), kind=kind, is_last=act.is_last) + body)
        self._truth.note(asked, act.what, self._truth.loop.time())
        self.asked = None
        self._truth.busy.discard(self)
        if act.is_last and act.what == ANSWERED:
            self._transport.close()
        elif not self._transport.is_closing():
            self._next()


def _headers(head: bytes) -> dict[bytes, bytes]:
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _kind(call: mcp.Call | None) -> str:
    return _TEXT if call is None else _JSON


def _head(status: int, length: int, location: str = "", *, kind: str = _TEXT, is_last: bool = False) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}", f"Content-Type: {kind}"]
    lines += [f"Content-Length: {length}"]
    lines += [f"Location: {location}"] if 300 <= status < 400 else []
    lines += ["Connection: close"] if is_last else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def serve(mode: Mode, log: Path) -> None:
    """Serve on a port that the system chooses, until SIGTERM."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    truth = Truth(mode, log, loop)
    server = await loop.create_server(lambda: Connection(truth), "127.0.0.1", 0, backlog=_BACKLOG)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await stopped.wait()
    server.close()
    truth.end()


def _selector(name: str) -> selectors.BaseSelector:
    # epoll waits in whole milliseconds, which would be the server's error. select does not, but is limited to
    # 1,024 files.
    return selectors.DefaultSelector() if name in _MANY_CONNECTIONS else selectors.SelectSelector()


def main(arguments: list[str]) -> None:
    """Run the server."""
    parser = argparse.ArgumentParser(prog="tests.perf.truth.server")
    parser.add_argument("mode")
    parser.add_argument("options", nargs="*", metavar="NAME=VALUE")
    parser.add_argument("--log", type=Path, required=True)
    asked = parser.parse_args(arguments)
    mode = make_mode(asked.mode, asked.options)
    gc.disable()  # a collection would be a pause that no mode decided
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(_selector(asked.mode))) as runner:
        runner.run(serve(mode, asked.log))


if __name__ == "__main__":
    main(sys.argv[1:])
