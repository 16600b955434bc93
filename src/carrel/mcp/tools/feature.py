"""`tools/list` and `tools/call`, in both eras.

Which failure is which follows the specification (2026-07-28, server/tools, "Error Handling"). What breaks
the form of a request is a protocol error: an unknown tool, and arguments that the tool's schema has no place
or no type for. What only the library can tell is an error of the tool, in a result with `isError` that the
model gets to see: an unknown URI, section or type, a number out of range, a cursor that does not fit, a
document that cannot be read, a search that cannot be done. A server that is not ready is a protocol error.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from carrel.errors import (
    Era,
    InvalidParams,
    InvalidUri,
    RequestError,
    ResourceNotFound,
    ResourceUnreadable,
    SearchUnavailable,
    SectionNotFound,
)
from carrel.http.exchange import failed_read
from carrel.library import Library
from carrel.mcp.protocol import Call
from carrel.mcp.results import Method, Outcome, Result, finish
from carrel.mcp.tools.tool import Arguments, Tool, definition, failure_members
from carrel.paging import decode_cursor

_OF_THE_TOOL = (
    InvalidParams,
    InvalidUri,
    ResourceNotFound,
    SectionNotFound,
    ResourceUnreadable,
    SearchUnavailable,
)
"""Errors that a model can do something about."""


class _Params(msgspec.Struct, frozen=True):
    name: str | UnsetType = UNSET
    arguments: msgspec.Raw | UnsetType = UNSET


class _Request(msgspec.Struct, frozen=True):
    params: _Params = _Params()


class Tools:
    """The methods over some tools.

    Args:
        tools: In the order in which they are listed.
        library: Which has to be ready.
        prepare: Called when tools are listed: calls are likely to follow.
    """

    def __init__(self, tools: Iterable[Tool], library: Library, prepare: Callable[[], None]) -> None:
        self._prepare = prepare
        self._library = library
        self._tools = {tool.name: (tool, msgspec.json.Decoder(tool.arguments)) for tool in tools}
        self._request = msgspec.json.Decoder(_Request)
        listed = b'"tools":' + msgspec.json.encode([definition(tool) for tool, _ in self._tools.values()])
        self._lists = {era: finish(listed, era, library.stamp) for era in Era}

    def methods(self, _: Era) -> Mapping[str, Method]:
        """Return the methods that the feature has in an era, by name."""
        return {"tools/list": self._list, "tools/call": self._call}

    def capabilities(self, _: Era) -> Mapping[str, Any]:
        """Return the members it adds to `ServerCapabilities`."""
        return {"tools": {}}

    def _list(self, call: Call) -> Outcome:
        # All tools fit on one page, so no cursor was ever handed out.
        if call.params.cursor is not UNSET:
            decode_cursor(call.params.cursor)
            return finish(b'"tools":[]', call.era, self._library.stamp)
        self._prepare()
        return self._lists[call.era]

    def _call(self, call: Call) -> Outcome:
        tool, arguments = self._understand(call)
        if not self._library.is_ready:
            return self._carry_out_when_ready(tool, arguments, call.era)
        return self._carry_out(tool, arguments, call.era)

    def _understand(self, call: Call) -> tuple[Tool, Arguments]:
        """Return the tool that is called, and its arguments.

        Raises:
            InvalidParams: There is no such tool, or the arguments are not what its schema says.
        """
        try:
            params = self._request.decode(call.source).params
        except msgspec.ValidationError as fault:
            raise InvalidParams(f"The parameters do not fit: {fault}.") from None
        if params.name is UNSET:
            raise InvalidParams("tools/call needs the parameter name.")
        known = self._tools.get(params.name)
        if known is None:
            raise InvalidParams(
                f"There is no tool {params.name[:64]!r} here. The tools are: {', '.join(self._tools)}."
            )
        tool, decoder = known
        given = b"{}" if params.arguments is UNSET or bytes(params.arguments) == b"null" else params.arguments
        try:
            return tool, decoder.decode(given)
        except msgspec.ValidationError as fault:
            properties = ", ".join(tool.arguments.__struct_fields__)
            raise InvalidParams(
                f"The arguments of the tool {tool.name} do not fit: {fault}. It takes: {properties}."
            ) from None

    def _carry_out(self, tool: Tool, arguments: Arguments, era: Era) -> Outcome:
        try:
            outcome = tool.call(arguments, era)
        except _OF_THE_TOOL as error:
            return self._failed(tool, arguments, era, error)
        return outcome if isinstance(outcome, Result) else self._await(tool, arguments, era, outcome)

    async def _carry_out_when_ready(self, tool: Tool, arguments: Arguments, era: Era) -> Result:
        await self._library.wait_ready()
        outcome = self._carry_out(tool, arguments, era)
        return outcome if isinstance(outcome, Result) else await outcome

    async def _await(
        self, tool: Tool, arguments: Arguments, era: Era, outcome: Coroutine[Any, Any, Result]
    ) -> Result:
        try:
            return await outcome
        except _OF_THE_TOOL as error:
            return self._failed(tool, arguments, era, error)

    def _failed(self, tool: Tool, arguments: Arguments, era: Era, error: RequestError) -> Result:
        result = finish(failure_members(error.message), era, self._library.stamp, cacheable=False)
        if tool.reads is None:
            return result
        return Result(result.body, failure=failed_read(tool.reads(arguments), error))
