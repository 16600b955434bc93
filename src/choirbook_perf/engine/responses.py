"""HTTP/1.1 responses, parsed as their bytes arrive. Pure, in time linear in the bytes.

Understands what a server may answer to a GET, POST or DELETE (RFC 9112, 6): a body of a known length, in
chunks, or up to the end of the connection. What is not HTTP raises `BadResponse`; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MAX_HEAD_BYTES = 64 * 1024
"""As many as servers and proxies accept from clients; more is no response that a client would read."""
MAX_BODY_BYTES = 256 * 1024 * 1024
_MAX_CHUNK_LINE_BYTES = 4096
_MAX_LENGTH_DIGITS = 12
_WITHOUT_BODY = {204, 304}
_FIRST_FINAL_STATUS = 200
_STATUS_LINE_BYTES = len(b"HTTP/1.1 200")


class BadResponse(ValueError):
    """A server sent something that is not a response; the message says why."""


class Head:
    """Status and headers of a response. Headers are found when they are asked for."""

    __slots__ = ("_lines", "_lowered", "status")

    def __init__(self, status: int, lines: bytes) -> None:
        self.status = status
        self._lines = lines
        self._lowered = lines.lower()

    def is_http_1_0(self) -> bool:
        """Return whether the server speaks HTTP/1.0, which closes connections unless it says otherwise."""
        return self._lowered.startswith(b"http/1.0")

    def get(self, name: str, default: Any = None, /) -> Any:
        """Return the first header with a name in any case, or the default."""
        value = self.raw(b"\r\n" + name.lower().encode("latin-1") + b":")
        return default if value is None else value.decode("latin-1")

    def raw(self, start: bytes) -> bytes | None:
        """Return the first header whose line starts with a line end, a name in lower case and a colon."""
        at = self._lowered.find(start)
        if at < 0:
            return None
        begin = at + len(start)
        end = self._lines.find(b"\r\n", begin)
        return self._lines[begin : end if end >= 0 else len(self._lines)].strip()

    def all(self, start: bytes) -> list[bytes]:
        """Return all headers whose lines start so, see `raw`."""
        found, at = [], 0
        while (at := self._lowered.find(start, at)) >= 0:
            begin = at + len(start)
            end = self._lines.find(b"\r\n", begin)
            found.append(self._lines[begin : end if end >= 0 else len(self._lines)].strip())
            at = begin
        return found


_EMPTY_HEAD = Head(0, b"")


class ResponseParser:
    """Parser of one response after the other on a connection."""

    __slots__ = (
        "_buffer",
        "_chunks",
        "_gathered",
        "_left",
        "_searched",
        "_size",
        "_state",
        "_taken",
        "body",
        "head",
    )

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self.head = _EMPTY_HEAD
        self.body = b""
        self._buffer = b""
        self._gathered = bytearray()
        self._searched = 0
        self._chunks: list[bytes] = []
        self._taken = 0
        self._size = 0
        self._left = 0
        self._state: Callable[[bytes], bool] = self._read_head

    def feed(self, data: bytes) -> bool:
        """Take bytes; return whether the response is complete, with `head` and `body`.

        Raises:
            BadResponse: They are not a response, or belong to none that was asked for.
        """
        return self._state(data)

    def finish(self) -> bool:
        """Take the end of the connection; return whether it completes the response."""
        if self._state == self._read_until_end:
            self.body = b"".join(self._chunks)
            return True
        return False

    def new_parts(self) -> list[bytes]:
        """Return the parts of the body that came since the last call, while it is not complete."""
        # The line end of the last chunk may still be part of it: it is left for the next call.
        complete = len(self._chunks) - (self._state == self._read_chunk)
        parts, self._taken = self._chunks[self._taken : complete], max(self._taken, complete)
        return parts

    def has_begun(self) -> bool:
        """Return whether any part of a response arrived."""
        return bool(self._gathered) or self.head.status != 0

    def next(self) -> None:
        """Forget the response, and expect another one."""
        self._reset()

    def keeps_alive(self) -> bool:
        """Return whether the connection may be used for another request."""
        if self._state == self._read_until_end:
            return False
        connection = self.head.raw(b"\r\nconnection:")
        if self.head.is_http_1_0():
            return connection is not None and b"keep-alive" in connection.lower()
        return connection is None or b"close" not in connection.lower()

    def _read_head(self, data: bytes) -> bool:
        buffer, end = self._blank_line(data)
        if end < 0:
            if not buffer.startswith(b"HTTP/1."[: len(buffer)]):
                raise BadResponse("the answer is not HTTP/1.1")
            return False
        self.head = Head(_status(buffer), buffer[:end])
        rest = buffer[end + 4 :]
        if self.head.status < _FIRST_FINAL_STATUS:
            return self._read_head(rest) if rest else False
        return self._begin_body(rest)

    def _begin_body(self, rest: bytes) -> bool:
        if self.head.status in _WITHOUT_BODY:
            return self._complete(b"", rest)
        coding = self.head.raw(b"\r\ntransfer-encoding:")
        if coding is not None:
            if coding.lower() != b"chunked":
                raise BadResponse(f"the transfer coding {coding[:40].decode('latin-1')!r} is not known")
            self._state = self._read_chunk_line
            return self._read_chunk_line(rest)
        lengths = self.head.all(b"\r\ncontent-length:")
        if not lengths:
            self._state = self._read_until_end
            return self._read_until_end(rest)
        self._left = _length(lengths)
        if len(rest) >= self._left:
            return self._complete(rest[: self._left], rest[self._left :])
        self._state = self._read_length
        return self._read_length(rest)

    def _complete(self, body: bytes, rest: bytes) -> bool:
        if rest:
            raise BadResponse("more bytes came than the response has")
        self.body = body
        self._state = self._read_nothing
        return True

    @staticmethod
    def _read_nothing(_: bytes) -> bool:
        raise BadResponse("bytes came that no request asked for")

    def _read_length(self, data: bytes) -> bool:
        if len(data) < self._left:
            self._add(data)
            self._left -= len(data)
            return False
        self._add(data[: self._left])
        return self._complete(b"".join(self._chunks), data[self._left :])

    def _read_until_end(self, data: bytes) -> bool:
        self._add(data)
        return False

    def _read_chunk_line(self, data: bytes) -> bool:
        """Read chunks for as long as the bytes last."""
        buffer = self._buffer + data if self._buffer else data
        at = 0
        while True:
            end = buffer.find(b"\r\n", at)
            if end < 0:
                if len(buffer) - at > _MAX_CHUNK_LINE_BYTES:
                    raise BadResponse("the line of a chunk is too long")
                self._buffer = buffer[at:]
                return False
            size = _chunk_size(buffer[at:end])
            if size == 0:
                self._buffer, self._state = b"", self._read_trailer
                return self._read_trailer(buffer[end:])
            # The line end after the data belongs to the chunk.
            begin, stop = end + 2, end + 2 + size + 2
            if stop > len(buffer):
                self._buffer, self._state = b"", self._read_chunk
                self._left = size + 2
                return self._read_chunk(buffer[begin:])
            self._end_chunk(buffer[stop - 2 : stop])
            self._add(buffer[begin : stop - 2])
            at = stop

    def _read_chunk(self, data: bytes) -> bool:
        if len(data) < self._left:
            self._left -= len(data)
            self._add(data)
            return False
        self._add(data[: self._left])
        rest = data[self._left :]
        # The line end may have come in two parts: it is taken off what was gathered.
        self._drop_line_end()
        self._state = self._read_chunk_line
        return self._read_chunk_line(rest)

    def _drop_line_end(self) -> None:
        last = self._chunks.pop()
        if len(last) < 2 and self._chunks:  # noqa: PLR2004 - bytes of a line end
            last = self._chunks.pop() + last
        self._end_chunk(last[-2:])
        self._chunks.append(last[:-2])
        self._size -= 2

    @staticmethod
    def _end_chunk(line_end: bytes) -> None:
        if line_end != b"\r\n":
            raise BadResponse("a chunk is not followed by a line end")

    def _read_trailer(self, data: bytes) -> bool:
        """Skip trailer fields up to the blank line; the bytes start with the line end of the last chunk."""
        buffer, end = self._blank_line(data)
        return end >= 0 and self._complete(b"".join(self._chunks), buffer[end + 4 :])

    def _blank_line(self, data: bytes) -> tuple[bytes, int]:
        """Return the bytes so far, and where a blank line begins in them, -1 if there is none yet."""
        if not self._gathered and (end := data.find(b"\r\n\r\n")) >= 0:
            return data, end
        self._gathered += data
        # It may begin three bytes before the new ones.
        end = self._gathered.find(b"\r\n\r\n", max(0, self._searched - 3))
        self._searched = len(self._gathered)
        if end < 0:
            if self._searched > MAX_HEAD_BYTES:
                raise BadResponse(f"head or trailer of the response are longer than {MAX_HEAD_BYTES} bytes")
            return bytes(self._gathered[:_STATUS_LINE_BYTES]), end
        buffer = bytes(self._gathered)
        self._gathered, self._searched = bytearray(), 0
        return buffer, end

    def _add(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_BODY_BYTES:
            raise BadResponse(f"the body is longer than {MAX_BODY_BYTES} bytes")
        if data:
            self._chunks.append(data)


def _status(head: bytes) -> int:
    line = head[:_STATUS_LINE_BYTES]
    digits = line[9:]
    if line[:7] != b"HTTP/1." or line[8:9] != b" " or not digits.isdigit() or digits[0] == ord("0"):
        raise BadResponse("the answer is not HTTP/1.1")
    return int(digits)


def _length(values: list[bytes]) -> int:
    first = values[0]
    if any(each != first for each in values) or not first.isdigit() or len(first) > _MAX_LENGTH_DIGITS:
        raise BadResponse(f"Content-Length is {b', '.join(values)[:40].decode('latin-1')!r}")
    length = int(first)
    if length > MAX_BODY_BYTES:
        raise BadResponse(f"the body is longer than {MAX_BODY_BYTES} bytes")
    return length


def _chunk_size(line: bytes) -> int:
    digits = line.split(b";", 1)[0].strip(b" \t")
    if not digits or len(digits) > _MAX_LENGTH_DIGITS or digits.strip(b"0123456789abcdefABCDEF"):
        raise BadResponse("the size of a chunk is not a number")
    return int(digits, 16)
