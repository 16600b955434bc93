"""Tools: definition, description and results. Pure.

Results have `structuredContent`, and links beside the text, since revision 2025-06-18. Clients of 2025-03-26
ignore unknown members, and find the same in the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

import msgspec

from choirbook.documents.excerpts import link
from choirbook.errors import Era
from choirbook.mcp.results import Outcome
from choirbook.model import ResourceInfo

MAX_RESULT_CHARACTERS = 500_000
"""Maximum length of a result that Claude Code can be asked to accept instead of writing it to a file."""

MAX_LINKS = 20
"""Maximum number of links beside one result: each repeats what the text and the structured content say."""


class Arguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Arguments of one tool. Models write null for what they leave out, so null is the default."""


class Tool(msgspec.Struct, frozen=True):
    """One tool, annotated as read-only."""

    name: str
    title: str
    description: str
    """Description for the model that decides whether to call it."""
    arguments: type[Arguments]
    call: Callable[[Any, Era], Outcome]
    """Takes arguments; raises `RequestError`, as does the coroutine that it may return."""
    output: type[msgspec.Struct] | None = None
    """Type of its structured content; None if it has none."""
    reads: Callable[[Any], str] | None = None
    """Returns the URI that a call is about; None if the tool reads no document."""
    schema: Mapping[str, Any] = {}
    """Members of its input schema that argument types cannot express, such as `allOf`; `call` checks them."""
    needs: Mapping[str, Any] = {}
    """Capabilities that a client must have to use it, as a `ClientCapabilities` object."""


def definition(tool: Tool) -> dict[str, Any]:
    """Return a tool as listed by `tools/list`.

    Source: revision 2026-07-28, server/tools, "Tool". The key in `_meta` is Claude Code's, which looks for it
    at each tool of the list.
    """
    output = {} if tool.output is None else {"outputSchema": _schema(tool.output, {})}
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": _schema(tool.arguments, tool.schema),
        **output,
        "annotations": {
            "title": tool.title,
            "readOnlyHint": True,
            "destructiveHint": False,
            "idempotentHint": True,
            "openWorldHint": False,
        },
        "_meta": {"anthropic/maxResultSizeChars": MAX_RESULT_CHARACTERS},
    }


def spell_arguments(schema: Mapping[str, Any]) -> str:
    """Describe the arguments of an input schema, for a model whose arguments do not match."""
    spelled = [
        f"{name} ({_spell_type(member)}{', required' if name in schema.get('required', ()) else ''})"
        for name, member in schema["properties"].items()
    ]
    return ", ".join(spelled) or "nothing"


def _spell_type(member: Mapping[str, Any]) -> str:
    if "enum" in member:
        return " or ".join(map(repr, member["enum"]))
    bounds = [
        f" {word} {member[key]}"
        for word, key in (("from", "minimum"), ("to", "maximum"), ("of at most", "maxLength"))
        if key in member
    ]
    unit = " characters" if "maxLength" in member else ""
    return f"{member.get('type', 'any value')}{''.join(bounds)}{unit}"


def members(text: str, structured: msgspec.Struct, infos: Iterable[ResourceInfo]) -> bytes:
    """Build the members of a `CallToolResult`, without braces.

    Args:
        text: For models.
        structured: For programs, and for models of clients that show only this.
        infos: Documents to link to, at most `MAX_LINKS`.
    """
    links = [link(info) for _, info in zip(range(MAX_LINKS), infos, strict=False)]
    content = [{"type": "text", "text": text}, *links]
    return msgspec.json.encode({"content": content, "structuredContent": structured})[1:-1]


def failure_members(text: str) -> bytes:
    """Build the members of the result of a failed call; the text describes how to correct it."""
    return msgspec.json.encode({"content": [{"type": "text", "text": text}], "isError": True})[1:-1]


def described(text: str, **schema: Any) -> msgspec.Meta:
    """Describe an argument.

    Args:
        text: For the model that fills it in.
        **schema: Bounds for the JSON Schema. The tool itself must check them: a value beyond them is an error
            that a model can fix, not a malformed request.
    """
    return msgspec.Meta(description=text, extra_json_schema=schema)


Uri = Annotated[str, described("URI of the document, such as mcp://resources/sdlc/core.")]


def _schema(type_: type[msgspec.Struct], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return a struct's JSON Schema (2020-12), its own members at the root as the protocol requires.

    Args:
        type_: Type of the values.
        more: Members that override those of the struct; definitions are merged.
    """
    (reference,), parts = msgspec.json.schema_components([type_], ref_template="#/$defs/{name}")
    for part in parts.values():
        # Docstrings of classes are for readers of the code.
        part.pop("title", None)
        part.pop("description", None)
        for name, member in part["properties"].items():
            part["properties"][name] = _plain(member)
    schema: dict[str, Any] = parts.pop(reference["$ref"].rpartition("/")[2])
    parts |= more.get("$defs", {})
    return {**schema, **more, **({"$defs": parts} if parts else {})}


def _plain(member: dict[str, Any]) -> dict[str, Any]:
    """Hide that null is accepted too: this is of no use to a model, and costs as much as the description."""
    if "anyOf" not in member:
        return member
    wanted: dict[str, Any] = member["anyOf"][0]
    return wanted | {key: value for key, value in member.items() if key not in {"anyOf", "default"}}
