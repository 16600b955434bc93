"""The tool `read`: a document, a section of one, or as much of it as fits into the model's context."""

from __future__ import annotations

from typing import Annotated

from choirbook.documents.excerpts import (
    MAX_PART_BYTES,
    MAX_PART_TOKENS,
    Continuation,
    Part,
    check_continuation,
    decode_continuation,
    part_members,
)
from choirbook.errors import Era, InvalidParams
from choirbook.http.deferred import then
from choirbook.library.library import Library
from choirbook.mcp.results import Outcome, Result, finish, result_of
from choirbook.mcp.tools.tool import Arguments, Tool, Uri, described
from choirbook.model import Form, Reading, ResourceInfo, SectionInfo
from choirbook.text.token_estimate import BYTES_PER_TOKEN

MIN_TOKENS = 50
"""Minimum size of a part in tokens: less is hardly a sentence, and a document in that many parts would take a
thousand calls."""

_FORMS = {Era.HANDSHAKE: Form.TOOL_HANDSHAKE, Era.MODERN: Form.TOOL_MODERN}


class ReadArguments(Arguments, frozen=True):
    """The arguments of `read`."""

    uri: Uri
    section: Annotated[
        str | None, described("Only this section: its slug or heading, as outline and search give it.")
    ] = None
    max_tokens: Annotated[
        int | None,
        described(
            "Approximate maximum of tokens to return. The result then has a cursor for the rest.",
            minimum=MIN_TOKENS,
        ),
    ] = None
    cursor: Annotated[
        str | None,
        described("Cursor of the previous result, to continue reading. Pass the uri that it names."),
    ] = None


class _Reader:
    def __init__(self, library: Library) -> None:
        self._library = library

    def call(self, arguments: ReadArguments, era: Era) -> Outcome:
        max_bytes = _max_bytes(arguments.max_tokens)
        continuation = None if arguments.cursor is None else decode_continuation(arguments.cursor)
        info = self._library.find(arguments.uri)
        if arguments.section is not None:
            document = info.document if isinstance(info, SectionInfo) else info
            info = self._library.section(document, arguments.section)
        # The ready result has the maximum length of any result.
        if continuation is None and (max_bytes == MAX_PART_BYTES or info.size <= max_bytes):
            outcome = self._library.read(info, _FORMS[era])
            if isinstance(outcome, Reading):
                # A cached read: `then` and `result_of` would cost it two calls.
                return Result(outcome.representation.body, outcome)
            return then(outcome, result_of)
        return self._read_part(info, continuation, max_bytes, era)

    async def _read_part(
        self, info: ResourceInfo, continuation: Continuation | None, max_bytes: int, era: Era
    ) -> Result:
        outcome = self._library.read(info, Form.RAW)
        reading = outcome if isinstance(outcome, Reading) else await outcome
        data, digest = reading.representation.body, reading.representation.digest
        uri = reading.info.uri
        start = 0 if continuation is None else check_continuation(continuation, uri, data, digest)
        members = part_members(reading.info, data, digest, start, max_bytes)
        return Result(finish(members, era, self._library.stamp, cacheable=False).body, reading)


def read_tool(library: Library) -> Tool:
    """Create the tool for a library."""
    return Tool(
        name="read",
        title="Read a document",
        description=(
            "Read a document of the team's library, or one section of it. Use it for each document that "
            "fits the task, before you write code or documents. Long documents come in parts of at most "
            f"{MAX_PART_TOKENS:,} tokens; to get less, ask for a section, or set max_tokens."
        ),
        arguments=ReadArguments,
        output=Part,
        call=_Reader(library).call,
        reads=lambda arguments: str(arguments.uri),
    )


def _max_bytes(max_tokens: int | None) -> int:
    if max_tokens is None:
        return MAX_PART_BYTES
    if max_tokens < MIN_TOKENS:
        raise InvalidParams(f"max_tokens is {max_tokens}. It must be at least {MIN_TOKENS}.")
    return min(max_tokens * BYTES_PER_TOKEN, MAX_PART_BYTES)
