"""Operations of a plan: ready requests, and what their responses have to contain. Values.

A generator sends the bytes of `Operation.request` with the headers of its user's `sessions.Session`, and has
each response judged by `judging`.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

HTTP = "http"
READ = "resources/read"
CALL_TOOL = "tools/call"
INITIALIZE = "initialize"


FIRST_ID = 1_000_000_000
"""Id of ready requests. Ids have ten digits, so that another one leaves the length of a body as it is."""

_ID_AT_END = b',"id":%d}' % FIRST_ID


def is_call(body: bytes) -> bool:
    """Return whether a body is a ready request, which has an id, and no notification."""
    return body.endswith(_ID_AT_END)


def numbered(body: bytes, id_: int) -> bytes:
    """Return a ready request with another id of ten digits; anything else as it is.

    A client may use an id once in a session: servers that find requests by their ids mix up those that have
    the same one (MCP 2025-11-25, basic, requests).
    """
    return b"%s%d}" % (body[:-11], id_) if is_call(body) else body


class Request(NamedTuple):
    """A request to send."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None


class Expected(msgspec.Struct, frozen=True):
    """Content that the probe read."""

    length: int
    """In bytes."""
    sha256: str
    """In hexadecimal digits."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One request, ready to be sent any number of times."""

    name: str
    """Name in the result."""
    resource_type: str
    kind: str
    """`http`, or the method of MCP, such as `resources/read`."""
    address: str
    """URI, path, or name of the tool or prompt."""
    request: Request
    expected: Expected | None = None
    """Content of each good response; None where content varies, or was not read before."""
    contains: str = ""
    """Text that the content of each good response contains."""
    is_error: bool = False
    """Whether the tool has to report an error."""

    @property
    def opens_session(self) -> bool:
        """Whether it is sent without the user's session, and what it opens is ended at once."""
        return self.kind == INITIALIZE
