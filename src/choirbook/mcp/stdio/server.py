"""MCP over stdin and stdout: one message per line, UTF-8.

stdout carries protocol only. Reading and writing block, so each has a thread; answers are made on the event
loop. Handshake-era connections have a state: the revision that `initialize` negotiated.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import select
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import RawIOBase
from time import monotonic
from typing import Any, BinaryIO

import msgspec
from msgspec import UNSET

from choirbook.errors import BodyTooLarge, Era, InvalidRequest
from choirbook.http.exchange import Record, Response, Streaming
from choirbook.library.library import Library
from choirbook.mcp.dispatch import CallHandler, failed
from choirbook.mcp.messages import Malformed, Message, PostedResponse, decode
from choirbook.mcp.open_streams import OpenStreams
from choirbook.mcp.protocol import Call, Fault, accept_piped, batch_fault
from choirbook.mcp.revisions import BATCHING, HANDSHAKE, NEWEST_HANDSHAKE
from choirbook.mcp.stdio.session import PipeSession, PipeStreams

log = logging.getLogger("choirbook.mcp.stdio")

MAX_IN_FLIGHT = 256
"""Maximum number of lines answered concurrently; further ones wait in the pipe, which slows down the
client."""

TOO_LONG = b"too long"
"""Stands for a line over the limit; compared by identity."""

_PIECE_BYTES = 64 * 1024

_NOTHING = b" \t\r\n\v\f\xef\xbb\xbf"
"""Characters of a line without a message: spaces, and a byte order mark, which ends no JSON message."""

_CANCELLED = "notifications/cancelled"
_INITIALIZED = "notifications/initialized"

_Answering = Coroutine[Any, Any, Response | Streaming]
_Line = tuple[bytes, Callable[[], None] | None]
"""A line for stdout, and a function to call on the writing thread once it is written."""


def lines(stream: RawIOBase, max_line_bytes: int) -> Iterator[bytes]:
    """Yield the lines that are not empty, without their end; `TOO_LONG` for each that is over the limit.

    Raises:
        OSError: The stream cannot be read.
    """
    rest = b""
    passing_over = False
    while piece := stream.read(_PIECE_BYTES):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if passing_over or len(line) > max_line_bytes:
                passing_over = False
                yield TOO_LONG
            elif line.strip(_NOTHING):
                yield line
        if len(rest) > max_line_bytes:
            # Reported at the end of the line; until then nothing of it is kept.
            passing_over, rest = True, b""
    if passing_over or len(rest) > max_line_bytes:
        yield TOO_LONG
    elif rest.strip(_NOTHING):
        yield rest


class StdioServer:
    """Serves the one client at the other end of two pipes.

    Args:
        dispatcher: Carries out calls.
        library: Library whose resources clients subscribe to.
        streams: Open streams.
        stdin: Input of messages, unbuffered: the thread that reads it may still wait when the
            process ends, and must hold no lock then.
        stdout: Output of answers.
        max_line_bytes: A longer line is refused, and passed over to its end.
        observe: Called after each response, see `Record`.
    """

    def __init__(
        self,
        dispatcher: CallHandler,
        library: Library,
        streams: OpenStreams,
        stdin: RawIOBase,
        stdout: BinaryIO,
        max_line_bytes: int,
        observe: Record,
    ) -> None:
        self._dispatcher = dispatcher
        self._stdin = stdin
        self._stdout = stdout
        self._max_line_bytes = max_line_bytes
        self._observe = observe
        self._revision: str | None = None
        self._initialize = b""
        self._calls: dict[bytes, asyncio.Task[None]] = {}
        self._room = threading.Semaphore(MAX_IN_FLIGHT)
        self._is_lost = False
        self._lose: Callable[[], None] = lambda: None
        self._outbox: queue.SimpleQueue[_Line | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_lines, name="choirbook-stdout", daemon=True)
        self._streams = PipeStreams(self._write)
        self._session = PipeSession(library, streams, self._write)

    async def serve(self) -> None:
        """Answer until stdin ends, then finish what is in flight; or until stdout is closed by its reader."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        self._lose = partial(_call_on, loop, partial(self._note_loss, ended))
        reader = threading.Thread(
            target=self._read_lines, args=(loop, ended), name="choirbook-stdin", daemon=True
        )
        self._writer.start()
        reader.start()
        with _watching(self._stdout, loop, self._lose):
            await ended
        if self._is_lost:
            for call in self._calls.values():
                call.cancel()
        while self._calls:
            await asyncio.gather(*self._calls.values(), return_exceptions=True)

    async def close(self, deadline_s: float) -> None:
        """Write the pending output, unless the client does not read it.

        Args:
            deadline_s: Maximum duration, in seconds.
        """
        self._outbox.put(None)
        await asyncio.to_thread(self._writer.join, deadline_s)

    def _read_lines(self, loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]) -> None:
        try:
            for line in lines(self._stdin, self._max_line_bytes):
                self._room.acquire()
                loop.call_soon_threadsafe(self._take, line)
        except (OSError, ValueError) as error:
            log.info("stopped reading stdin: %s", error)
        _call_on(loop, partial(_settle, ended))

    def _note_loss(self, ended: asyncio.Future[None]) -> None:
        """Stop, as no answer can reach the client any more."""
        if not self._is_lost:
            self._is_lost = True
            log.info("stopping: the client has closed stdout")
            _settle(ended)

    def _write_lines(self) -> None:
        while (line := self._outbox.get()) is not None:
            body, done = line
            try:
                # One write per message, so that a client never sees half of one without the rest coming.
                if body:
                    self._stdout.write(body + b"\n")
                    self._stdout.flush()
            except (OSError, ValueError):
                self._lose()
            if done is not None:
                done()

    def _write(self, message: bytes, written: Callable[[], None] | None) -> None:
        """Queue a message that is not an answer."""
        if written is None:
            self._outbox.put((message, None))
        else:
            loop = asyncio.get_running_loop()
            self._outbox.put((message, lambda: _call_on(loop, written)))

    def _answer_with(self, body: bytes) -> None:
        """Queue an answer, unless it is empty, and make room for another line."""
        self._outbox.put((body, self._room.release))

    def _take(self, line: bytes) -> None:
        start_s = monotonic()
        answer = self._answer(line)
        if isinstance(answer, Response):
            self._finish(answer, line, start_s)
            return
        key, coroutine = answer
        task = asyncio.create_task(self._wait(key, coroutine, line, start_s))
        self._calls[key] = task
        task.add_done_callback(lambda done: self._end(key, done))

    async def _wait(self, key: bytes, coroutine: _Answering, line: bytes, start_s: float) -> None:
        try:
            response = await coroutine
        except asyncio.CancelledError:
            # The client cancelled its request and expects no answer to it.
            self._answer_with(b"")
            raise
        if isinstance(response, Streaming):
            self._streams.open(key, response.stream)
            response = Response(response.status, response.headers)
        self._finish(response, line, start_s)

    def _end(self, key: bytes, task: asyncio.Task[None]) -> None:
        if self._calls.get(key) is task:
            del self._calls[key]

    def _finish(self, response: Response, line: bytes, start_s: float) -> None:
        self._answer_with(response.body)
        # A client of the modern era names itself in each message, an older one in its first.
        self._observe(response, start_s, self._initialize or line)

    def _answer(self, line: bytes) -> Response | tuple[bytes, _Answering]:
        if line is TOO_LONG:
            too_long = BodyTooLarge(f"The line is longer than {self._max_line_bytes} bytes.")
            return failed(Fault(too_long, self._era()))
        decoded = decode(line)
        if isinstance(decoded, Message):
            return self._answer_message(decoded)
        if isinstance(decoded, Malformed):
            return failed(self._refuse(decoded))
        if isinstance(decoded, PostedResponse):
            return Response(202, [])
        if self._revision not in BATCHING:
            return failed(batch_fault([]))
        return line, self._dispatcher.carry_out_batch(decoded, self._refuse, self._session)

    def _answer_message(self, message: Message) -> Response | tuple[bytes, _Answering]:
        call = accept_piped(message)
        if isinstance(call, Fault):
            return failed(call)
        if call.id is not None and call.id in self._streams:
            in_use = InvalidRequest("A subscription with this id is already open. Use another id.")
            return failed(Fault(in_use, call.era, call.id))
        if call.method == _CANCELLED and call.id is None:
            self._cancel(call)
        if call.era is Era.HANDSHAKE:
            call = msgspec.structs.replace(call, session=self._session)
            if call.method == _INITIALIZED:
                self._session.open()
        if call.method == "initialize" and call.params.protocol_version is not UNSET:
            asked = call.params.protocol_version
            self._revision = asked if asked in HANDSHAKE else NEWEST_HANDSHAKE
            self._initialize = message.source
        answer = self._dispatcher.carry_out(call)
        return answer if isinstance(answer, Response) else (call.id or b"", answer)

    def _cancel(self, call: Call) -> None:
        if call.params.request_id is UNSET:
            return
        id_ = msgspec.json.encode(call.params.request_id)
        if not self._streams.cancel(id_) and id_ in self._calls:
            self._calls[id_].cancel()

    def _refuse(self, malformed: Malformed) -> Fault:
        return Fault(malformed.error, Era.MODERN if malformed.claims_modern else self._era(), malformed.id)

    def _era(self) -> Era:
        """Return the era of messages that do not show theirs."""
        return Era.MODERN if self._revision is None else Era.HANDSHAKE


@contextmanager
def _watching(stdout: BinaryIO, loop: asyncio.AbstractEventLoop, lost: Callable[[], None]) -> Iterator[None]:
    """Call a function when the other end of stdout is closed, even while nothing is written to it."""
    if not hasattr(select, "epoll"):
        yield
        return
    with select.epoll() as watch:
        # Watches no event except errors and hang-ups, which are always reported. A file has neither.
        with suppress(PermissionError):
            watch.register(stdout.fileno(), 0)

        def on_lost() -> None:
            loop.remove_reader(watch.fileno())
            lost()

        loop.add_reader(watch.fileno(), on_lost)
        try:
            yield
        finally:
            loop.remove_reader(watch.fileno())


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _call_on(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop is closed: the server has ended, and nobody waits any more
        loop.call_soon_threadsafe(function)
