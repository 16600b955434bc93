"""Results of methods: JSON bytes, ready to be inserted after a request's id."""

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
    """Result of a method."""

    body: bytes
    reading: Reading | None = None
    """Reading made for the result, for observers."""
    failure: FailedRead | None = None
    """Failed read that the result reports."""
    stream: Stream | None = None
    """Stream that answers instead of the body, for as long as it lasts. Only a coroutine returns one."""
    operations: tuple[Operation, ...] = ()
    """Operations reported to observers; if empty, that the method succeeded."""


def result_of(reading: Reading) -> Result:
    """Return the result that a read in a form of MCP is."""
    return Result(reading.representation.body, reading)


Outcome = Result | Coroutine[Any, Any, Result]
"""A `Result` that is ready, or a coroutine of one that must wait."""

Method = Callable[[Call], Outcome]


class Feature(Protocol):
    """Part of the protocol: some methods, and the capabilities that they add to the server."""

    def methods(self, era: Era) -> Mapping[str, Method]:
        """Return the methods that the feature has in an era, by name."""

    def capabilities(self, era: Era) -> Mapping[str, Any]:
        """Return the members it adds to `ServerCapabilities`."""


def finish(members: bytes, era: Era, stamp: Stamp, *, cacheable: bool = True) -> Result:
    """Build a result from its JSON members, written without braces.

    Args:
        members: Such as `"resources":[]`.
        era: Decides which members are added.
        stamp: See `Stamp`.
        cacheable: Whether results of the method state how long they are valid, see `modern_result`.
    """
    if era is Era.MODERN:
        return Result(modern_result(members, stamp, cacheable=cacheable))
    return Result(b"{" + members + b"}")
