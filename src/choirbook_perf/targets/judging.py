"""Evaluation of responses: what failed, and the content compared with what the probe read. Pure."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from choirbook_perf.targets.operations import CALL_TOOL, HTTP, READ, Expected, Operation
from choirbook_perf.targets.replies import UNKNOWN, Headers, Reply, cache_result, decode_reply

_OK = range(200, 300)
_MAX_REASON = 200
_ID = re.compile(rb'"id": ?(1[0-9]{9})\b')
_ENVELOPE_BYTES = 80
"""Bytes before the result in a reply, with the head of an event, or after it."""


class Judged(NamedTuple):
    """An evaluated response."""

    failure: str
    """Reason why it counts as failed; "" on success."""
    cache_result: str = UNKNOWN


class _Contents(msgspec.Struct, frozen=True):
    contents: list[_Content]


class _Content(msgspec.Struct, frozen=True):
    text: str = ""
    blob: str = ""


class _ToolResult(msgspec.Struct, frozen=True, rename="camel"):
    is_error: bool = False
    content: list[_Content] = []


class NoContent(Exception):
    """A response without content; the message is the failure."""


_decode_contents = msgspec.json.Decoder(_Contents).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder(order="deterministic").encode

_FIELDS = {
    "initialize": ("serverInfo", "capabilities"),
    "prompts/get": ("description", "messages"),
    "completion/complete": ("completion",),
    "tools/call": ("content", "structuredContent", "isError"),
}
"""Parts of a result that are its content. Others, such as cursors, `_meta` and lifetimes, may differ with
every response."""

_LISTS = ("resources", "resourceTemplates", "tools", "prompts")


def judge(operation: Operation, status: int, headers: Headers, body: bytes) -> Judged:
    """Evaluate the response to an operation.

    Args:
        operation: Operation that was sent.
        status: HTTP status; 200 over stdio.
        headers: Headers of the response.
        body: Body, without any coding of the transfer.
    """
    try:
        content = content_of(operation.kind, status, headers, body, is_error=operation.is_error)
    except NoContent as reason:
        return Judged(str(reason)[:_MAX_REASON])
    if operation.contains and operation.contains.encode() not in content:
        return Judged(f"the content does not contain {operation.contains!r}"[:_MAX_REASON])
    if operation.expected is not None and (difference := _difference(operation.expected, content)):
        return Judged(difference)
    return Judged("", cache_result(headers))


class _Good(NamedTuple):
    """A good body, but for its id."""

    operation: Operation
    before: bytes
    after: bytes
    length: int

    def is_same(self, body: bytes) -> bool:
        """Return whether a body is the same, but for its id."""
        return len(body) == self.length and body.startswith(self.before) and body.endswith(self.after)


class Judge:
    """Evaluation that remembers the last good body of each operation: equal ones cost one comparison."""

    def __init__(self) -> None:
        self._good: dict[int, _Good] = {}

    def judge(self, operation: Operation, status: int, headers: Headers, body: bytes) -> Judged:
        """Evaluate the response to an operation, see `judge`."""
        known = self._good.get(id(operation))
        if known is not None and status in _OK and known.is_same(body):
            return Judged("", cache_result(headers))
        judged = judge(operation, status, headers, body)
        if not judged.failure:
            # The operation is kept as well, so that no other gets its id.
            self._good[id(operation)] = _good(operation, body)
        return judged


def _good(operation: Operation, body: bytes) -> _Good:
    """Return a body without its id, which is near its beginning or its end."""
    last = max(_ENVELOPE_BYTES, len(body) - _ENVELOPE_BYTES)
    found = None if operation.kind == HTTP else _ID.search(body, 0, _ENVELOPE_BYTES) or _ID.search(body, last)
    if found is None:
        return _Good(operation, body, b"", len(body))
    return _Good(operation, body[: found.start(1)], body[found.end(1) :], len(body))


def content_failure(kind: str, status: int, headers: Headers, body: bytes) -> str:
    """Return why a response has no content, "" if it has."""
    try:
        content_of(kind, status, headers, body)
    except NoContent as reason:
        return str(reason)[:_MAX_REASON]
    return ""


def content_of(kind: str, status: int, headers: Headers, body: bytes, *, is_error: bool = False) -> bytes:
    """Return the content of a response, the same whatever transport, era, or order of fields it came in.

    Raises:
        NoContent: It has none; the message is the reason.
    """
    if kind == HTTP:
        return _http_content(status, body)
    reply = decode_reply(headers, body)
    if reply is not None and reply.error is not None:
        raise NoContent(f"JSON-RPC error {reply.error.code}: {reply.error.message}")
    if status not in _OK:
        raise NoContent(f"status {status}")
    if reply is None or not bytes(reply.result):
        raise NoContent("the answer is not a JSON-RPC reply")
    if kind == READ:
        return _read_content(reply)
    return _result_content(kind, reply, is_error=is_error)


def expected_of(content: bytes) -> Expected:
    """Return what responses with a content are expected to have."""
    return Expected(len(content), sha256(content).hexdigest())


def _http_content(status: int, body: bytes) -> bytes:
    if status not in _OK:
        raise NoContent(f"status {status}")
    if not body:
        raise NoContent("empty answer")
    return body


def _read_content(reply: Reply) -> bytes:
    try:
        contents = _decode_contents(reply.result).contents
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise NoContent("the result has no contents") from None
    if not contents:
        raise NoContent("the contents are empty")
    return "".join(each.text or each.blob for each in contents).encode("utf-8", "surrogatepass")


def _result_content(kind: str, reply: Reply, *, is_error: bool) -> bytes:
    try:
        result = _decode_object(reply.result)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise NoContent("the result is not an object") from None
    if kind == CALL_TOOL and bool(result.get("isError")) is not is_error:
        raise NoContent(_tool_failure(reply, is_error=is_error))
    fields = _FIELDS.get(kind, _LISTS)
    content = {name: result[name] for name in fields if name in result}
    if not content:
        raise NoContent(f"the result has no {fields[0]}")
    return _encode(content)


def _tool_failure(reply: Reply, *, is_error: bool) -> str:
    if is_error:
        return "the tool reports no error, though the scenario expects one"
    try:
        said = msgspec.json.decode(reply.result, type=_ToolResult).content
    except (msgspec.MsgspecError, UnicodeDecodeError):
        said = []
    return f"the tool reports an error: {' '.join(each.text for each in said)}".rstrip(": ")


def _difference(expected: Expected, content: bytes) -> str:
    if len(content) != expected.length:
        return (
            f"the content differs from what the probe read: {len(content)} bytes instead of {expected.length}"
        )
    if sha256(content).hexdigest() != expected.sha256:
        return "the content differs from what the probe read, at the same length"
    return ""
