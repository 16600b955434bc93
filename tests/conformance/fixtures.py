"""The tools and prompts that the official conformance suite asks every server for.

They go the way of Choirbook's own: listed, checked, called and refused by the same code. What Choirbook
never does (asking the client for something, logging to it, reporting progress) they do not do either, so the
checks about that stay in the baselines.
"""

from __future__ import annotations

import wave
from base64 import b64encode
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import msgspec

from choirbook.app import ToolMaker
from choirbook.errors import Era, InvalidParams
from choirbook.library.library import Library
from choirbook.mcp.messages import parameters
from choirbook.mcp.prompts import GetParams, Prompts
from choirbook.mcp.protocol import Call
from choirbook.mcp.results import Method, Outcome, finish
from choirbook.mcp.tools.tool import Arguments, Tool, described
from choirbook.runtime.threads import Threads

HERE = Path(__file__).parent


def _silence() -> bytes:
    file = BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        audio.writeframes(bytes(2))
    return file.getvalue()


IMAGE = {
    "type": "image",
    "data": b64encode((HERE / "library" / "static.png").read_bytes()).decode(),
    "mimeType": "image/png",
}
AUDIO = {"type": "audio", "data": b64encode(_silence()).decode(), "mimeType": "audio/wav"}


class Nothing(Arguments, frozen=True):
    """No arguments."""


class Mirrored(Arguments, frozen=True):
    """An argument that clients repeat in a header."""

    region: Annotated[str | None, described("Where.", **{"x-mcp-header": "Region"})] = None


class Person(Arguments, frozen=True):
    """Arguments whose schema says more than a type does."""

    name: str | None = None
    address: Annotated[dict[str, str] | None, described("Where.", **{"$ref": "#/$defs/address"})] = None
    contactMethod: str | None = None  # noqa: N815 - the suite's spelling
    phone: str | None = None
    email: str | None = None


PERSON_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
}


def text(words: str) -> dict[str, Any]:
    """Return a text as content."""
    return {"type": "text", "text": words}


def embedded(uri: str, media_type: str, words: str) -> dict[str, Any]:
    """Return a resource as content."""
    return {"type": "resource", "resource": {"uri": uri, "mimeType": media_type, "text": words}}


def answering(name: str, *content: dict[str, Any], **members: Any) -> ToolMaker:
    """Return what makes a tool that always answers the same.

    Args:
        name: What the suite calls it.
        content: Of its result.
        members: Further ones of the `Tool`.
    """
    members = {"arguments": Nothing, **members}

    def make(library: Library) -> Tool:
        def call(_: Arguments, era: Era) -> Outcome:
            body = msgspec.json.encode({"content": content})[1:-1]
            return finish(body, era, library.stamp, cacheable=False)

        return Tool(name=name, title=name, description="A tool of the tests.", call=call, **members)

    return make


def failing(_: Library) -> Tool:
    """Make the tool that always fails."""

    def call(_: Arguments, __: Era) -> Outcome:
        raise InvalidParams("This tool intentionally returns an error for testing")

    name = "test_error_handling"
    return Tool(name=name, title=name, description="A tool of the tests.", arguments=Nothing, call=call)


TOOLS: tuple[ToolMaker, ...] = (
    answering("test_simple_text", text("This is a simple text response for testing.")),
    answering("test_image_content", IMAGE),
    answering("test_audio_content", AUDIO),
    answering(
        "test_embedded_resource",
        embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."),
    ),
    answering(
        "test_multiple_content_types",
        text("Multiple content types test:"),
        IMAGE,
        embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ),
    failing,
    answering("json_schema_2020_12_tool", text("ok"), arguments=Person, schema=PERSON_SCHEMA),
    answering("test_header", text("ok"), arguments=Mirrored),
    answering("test_missing_capability", text("ok"), needs={"sampling": {}}),
    # The suite looks at what these do not send beside their answer.
    answering("test_streaming_elicitation", text("Nobody was asked.")),
    answering("test_logging_tool", text("Nothing was logged.")),
)


class FixturePrompts:
    """The prompts of the library, and two whose messages are not text."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._prompts = Prompts(library, Threads(1), page_size=100)

    def methods(self, era: Era) -> Mapping[str, Method]:
        """Return the methods that the feature has in an era, by name."""
        return {**self._prompts.methods(era), "prompts/get": self._get}

    def capabilities(self, era: Era) -> Mapping[str, Any]:
        """Return the members it adds to `ServerCapabilities`."""
        return self._prompts.capabilities(era)

    def _get(self, call: Call) -> Outcome:
        if call.params.name == "test_prompt_with_embedded_resource":
            uri = parameters(call.source, GetParams).arguments["resourceUri"]
            resource = embedded(uri, "text/plain", "Embedded resource content for testing.")
            return self._answer(call, resource, text("Please process the embedded resource above."))
        if call.params.name == "test_prompt_with_image":
            return self._answer(call, IMAGE, text("Please analyze the image above."))
        return self._prompts.methods(call.era)["prompts/get"](call)

    def _answer(self, call: Call, *content: dict[str, Any]) -> Outcome:
        messages = [{"role": "user", "content": each} for each in content]
        body = msgspec.json.encode({"messages": messages})[1:-1]
        return finish(body, call.era, self._library.stamp, cacheable=False)
