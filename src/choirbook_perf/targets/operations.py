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
