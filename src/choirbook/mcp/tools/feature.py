"""`tools/list` and `tools/call`, in both eras.

The kind of failure follows the specification (2026-07-28, server/tools, "Error Handling"; SEP-1303 for
arguments). A failure that the client must fix is a protocol error: an unknown tool, headers that differ from
the arguments, a client that lacks what the tool needs. A failure that the model can fix is an error of the
tool, in a result with `isError` that the model sees: arguments that do not match the tool's schema, an
unknown URI, section or type, a number out of range, a cursor that does not match, a document that cannot be
read, a search that cannot run. A server that is not ready is a protocol error.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from choirbook.catalog.cursors import decode_cursor
from choirbook.errors import (
    CapabilityMissing,
    Era,
    InvalidParams,
    InvalidUri,
    RequestError,
    ResourceNotFound,
    ResourceUnreadable,
    SearchUnavailable,
    SectionNotFound,
)
from choirbook.http.deferred import then
from choirbook.http.exchange import Operation, failed_read
from choirbook.library.library import Library
from choirbook.mcp.messages import CLIENT_CAPABILITIES, parameters
from choirbook.mcp.operations import TOOL_ERROR, Operations, succeeded
from choirbook.mcp.protocol import Call
from choirbook.mcp.results import Method, Outcome, Result, finish
from choirbook.mcp.tools.mirrored_headers import Mirror, check_mirrors, mirrors_of
from choirbook.mcp.tools.tool import Arguments, Tool, definition, failure_members, spell_arguments

_CALL = "tools/call"

_MAX_REASON = 300

_OF_THE_TOOL = (
    InvalidParams,
    InvalidUri,
    ResourceNotFound,
    SectionNotFound,
    ResourceUnreadable,
    SearchUnavailable,
)
"""Errors that a model can fix."""


class _CallParams(msgspec.Struct, frozen=True):
    name: str | UnsetType = UNSET
    arguments: msgspec.Raw | UnsetType = UNSET


class _Request(msgspec.Struct, frozen=True):
    params: _CallParams = _CallParams()


class _DeclaringMeta(msgspec.Struct, frozen=True):
    capabilities: dict[str, Any] = msgspec.field(default={}, name=CLIENT_CAPABILITIES)


class _Declaring(msgspec.Struct, frozen=True):
    meta: _DeclaringMeta = msgspec.field(default=_DeclaringMeta(), name="_meta")


class _KnownTool(msgspec.Struct, frozen=True):
    tool: Tool
    decoder: msgspec.json.Decoder[Arguments]
    takes: str
    """Its arguments, as shown in errors."""
    mirrors: tuple[Mirror, ...]
    succeeded: Operations
    failed: Operations


class Tools:
    """Tool methods.

    Args:
        tools: In the order in which they are listed.
        library: Library that must be ready.
        prepare: Called when tools are listed, if given: calls are likely to follow.

    Raises:
        ValueError: Two tools have the same name, or one has an invalid header (see `mirrors_of`).
    """

    def __init__(self, tools: Iterable[Tool], library: Library, prepare: Callable[[], None] | None) -> None:
        self._prepare = prepare
        self._library = library
        self._tools: dict[str, _KnownTool] = {}
        self._request = msgspec.json.Decoder(_Request)
        definitions = []
        for tool in tools:
            if tool.name in self._tools:
                msg = f"Two tools have the name {tool.name!r}. Rename one of them."
                raise ValueError(msg)
            defined = definition(tool)
            mirrors = mirrors_of(defined["inputSchema"])
            self._tools[tool.name] = _KnownTool(
                tool,
                msgspec.json.Decoder(tool.arguments),
                spell_arguments(defined["inputSchema"]),
                mirrors,
                succeeded(_CALL, tool.name),
                (Operation(_CALL, TOOL_ERROR, tool.name),),
            )
            definitions.append(defined)
        listed = b'"tools":' + msgspec.json.encode(definitions)
        self._lists = {era: finish(listed, era, library.stamp) for era in Era}

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Calls of each tool, as reported when they succeed."""
        return tuple(operation for known in self._tools.values() for operation in known.succeeded)

    def methods(self, _: Era) -> Mapping[str, Method]:
        """Return the methods that the feature has in an era, by name."""
        return {"tools/list": self._list, _CALL: self._call}

    def capabilities(self, _: Era) -> Mapping[str, Any]:
        """Return the members it adds to `ServerCapabilities`."""
        return {"tools": {}}

    def _list(self, call: Call) -> Outcome:
        # All tools fit on one page, so no cursor was ever issued.
        if call.params.cursor is not UNSET:
            decode_cursor(call.params.cursor)
            return finish(b'"tools":[]', call.era, self._library.stamp)
        if self._prepare is not None:
            self._prepare()
        return self._lists[call.era]

    def _call(self, call: Call) -> Outcome:
        known, given = self._find(call)
        arguments = _fitting(known, given)
        if isinstance(arguments, InvalidParams):
            return self._failed(known, call.era, arguments)
        if known.mirrors and call.headers is not None:
            check_mirrors(known.mirrors, msgspec.json.decode(given), call.headers)
        if known.tool.needs and call.era is Era.MODERN:
            _check_capabilities(known.tool, call)
        if not self._library.is_ready:
            return self._carry_out_when_ready(known, arguments, call.era)
        return self._carry_out(known, arguments, call.era)

    def _find(self, call: Call) -> tuple[_KnownTool, msgspec.Raw | bytes]:
        """Return the tool of a call, and its arguments as they were sent.

        Raises:
            InvalidParams: There is no such tool.
        """
        try:
            params = self._request.decode(call.source).params
        except msgspec.ValidationError as fault:
            raise InvalidParams(f"The parameters are invalid: {fault}.") from None
        if params.name is UNSET:
            raise InvalidParams("tools/call needs the parameter name.")
        known = self._tools.get(params.name)
        if known is None:
            raise InvalidParams(
                f"There is no tool {params.name[:64]!r} here. The tools are: {', '.join(self._tools)}."
            )
        given = params.arguments
        return known, b"{}" if given is UNSET or bytes(given) == b"null" else given

    def _carry_out(self, known: _KnownTool, arguments: Arguments, era: Era) -> Outcome:
        try:
            outcome = known.tool.call(arguments, era)
        except _OF_THE_TOOL as error:
            return self._failed(known, era, error, arguments)
        # The result of a cached read is here at once, without the cost of `then`.
        if isinstance(outcome, Result):
            return replace(outcome, operations=known.succeeded)
        return self._carry_out_later(known, arguments, era, outcome)

    def _carry_out_when_ready(self, known: _KnownTool, arguments: Arguments, era: Era) -> Outcome:
        return then(self._library.wait_ready(), lambda _: self._carry_out(known, arguments, era))

    def _carry_out_later(
        self, known: _KnownTool, arguments: Arguments, era: Era, outcome: Coroutine[Any, Any, Result]
    ) -> Outcome:
        def failed(error: RequestError) -> Result:
            if isinstance(error, _OF_THE_TOOL):
                return self._failed(known, era, error, arguments)
            raise error

        return then(outcome, lambda result: replace(result, operations=known.succeeded), failed)

    def _failed(
        self, known: _KnownTool, era: Era, error: RequestError, arguments: Arguments | None = None
    ) -> Result:
        body = finish(failure_members(error.message), era, self._library.stamp, cacheable=False).body
        reads = known.tool.reads
        failure = None if reads is None or arguments is None else failed_read(reads(arguments), error)
        return Result(body, failure=failure, operations=known.failed)


def _fitting(known: _KnownTool, given: msgspec.Raw | bytes) -> Arguments | InvalidParams:
    """Decode the arguments of a call; if they do not match, return the error that describes what would.

    Models write `3.0`, an integer by JSON Schema, and `"3"`; both are accepted as 3.
    """
    try:
        return known.decoder.decode(given)
    except msgspec.ValidationError as fault:
        try:
            return msgspec.convert(msgspec.json.decode(given), known.tool.arguments, strict=False)
        except (msgspec.ValidationError, RecursionError):
            # The first of the two faults: it is about what was sent. It may quote the client.
            reason = str(fault)[:_MAX_REASON]
    return InvalidParams(
        f"The arguments of the tool {known.tool.name} are invalid: {reason}. It takes: {known.takes}."
    )


def _check_capabilities(tool: Tool, call: Call) -> None:
    """Compare the needs of a tool with what the client declared; handshake-era requests do not say.

    Source: revision 2026-07-28, basic/index, "Error Codes".
    """
    if _lacks(parameters(call.source, _Declaring).meta.capabilities, tool.needs):
        raise CapabilityMissing(
            f"The tool {tool.name} needs a client that declares: {', '.join(tool.needs)}.",
            {"requiredCapabilities": tool.needs},
        )


def _lacks(declared: Any, needed: Mapping[str, Any]) -> bool:
    return any(
        not isinstance(declared, dict) or name not in declared or _lacks(declared[name], members)
        for name, members in needed.items()
    )
