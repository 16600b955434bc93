"""What a method returns: JSON bytes, ready to be spliced behind a request's id."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

import msgspec

from choirbook.documents.rendering import Stamp, modern_result
from choirbook.errors import Era
from choirbook.http.exchange import FailedRead, Operation, Stream
from choirbook.mcp.protocol import Call
from choirbook.model import Reading


class Result(msgspec.Struct, frozen=True, gc=False):
    """What a method returns."""

    body: bytes
    reading: Reading | None = None
    """What was read on the way, for those who observe."""
    failure: FailedRead | None = None
    """What could not be read, where the result is about that."""
    stream: Stream | None = None
    """Answers instead of the body, for as long as it lasts. Only a coroutine returns one."""
    operations: tuple[Operation, ...] = ()
    """What observers are told of the call; where there is nothing, that its method went well."""


def result_of(reading: Reading) -> Result:
    """Return the result that a read in a form of MCP is."""
    return Result(reading.representation.body, reading)


Outcome = Result | Coroutine[Any, Any, Result]
"""What is ready is a `Result`; what has to wait is a coroutine of one."""

Method = Callable[[Call], Outcome]


class Feature(Protocol):
    """A part of the protocol: some methods, and what they let a server say of itself."""

    def methods(self, era: Era) -> Mapping[str, Method]:
        """Return the methods that the feature has in an era, by name."""

    def capabilities(self, era: Era) -> Mapping[str, Any]:
        """Return the members it adds to `ServerCapabilities`."""


def finish(members: bytes, era: Era, stamp: Stamp, *, cacheable: bool = True) -> Result:
    """Make a result of its JSON members, written without braces.

    Args:
        members: Such as `"resources":[]`.
        era: Decides what is added to them.
        stamp: See `Stamp`.
        cacheable: Whether the method is one whose results say for how long they hold, see `modern_result`.
    """
    if era is Era.MODERN:
        return Result(modern_result(members, stamp, cacheable=cacheable))
    return Result(b"{" + members + b"}")
