"""Expected results of a client: the library's real documents, not just an answer."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from typing import Any

from tests.clients.matrix.cells import CLIENTS, Conversation
from tests.clients.matrix.conversations import ASKS, EDITED
from tests.support.servers import DOCUMENTS

REVISIONS = {"modern": "2026-07-28", "handshake": "2025-11-25"}
"""The newest of each era, which every client that speaks the era knows."""

PATHS = {
    "mcp://resources/sdlc/core": "sdlc-core.md",
    "mcp://resources/patterns/python/core": "python/patterns-core.md",
    "mcp://resources/patterns/go/core": "go/patterns-core.md",
    "mcp://resources/templates/prd-template": "templates/prd-template.xml",
    "mcp://resources/files/notes/read%20me.txt": "notes/read me.txt",
    "mcp://resources/files/notes/na%C3%AFve.txt": "notes/naïve.txt",
    "mcp://resources/files/notes/scratch.txt": "notes/scratch.txt",
    "mcp://resources/files/images/logo.png": "images/logo.png",
}
"""The documents by their URIs."""

TEMPLATES = {
    "mcp://resources/patterns/{language}/{name}",
    "mcp://resources/templates/{artifact}-template",
    "mcp://resources/files/{+path}",
}

TOOLS = {"search", "read", "list", "outline"}


def check(conversation: Conversation, operation: str, seen: Any) -> None:
    """Fail unless a client has seen what there is.

    Args:
        conversation: Of the client.
        operation: That it did.
        seen: What the driver printed of it.
    """
    if operation == "connect":
        version = CLIENTS[conversation.client].version
        assert seen == {"revision": REVISIONS[conversation.era], "version": version}
    else:
        _CHECKS[operation](seen)


def _check_list(seen: Any) -> None:
    sizes = {resource["uri"]: resource["size"] for resource in seen["resources"]}

    assert sizes == {uri: len(DOCUMENTS[path]) for uri, path in PATHS.items()}
    assert len(seen["resources"]) == len(PATHS)
    assert {each["uriTemplate"] for each in seen["templates"]["resourceTemplates"]} >= TEMPLATES


def _check_read(seen: Any) -> None:
    read = [_content(result) for result in seen]

    assert read == [(uri, DOCUMENTS[PATHS[uri]]) for uri in ASKS["read"]]


def _check_errors(seen: Any) -> None:
    assert "Did you mean mcp://resources/sdlc/core" in seen["error"]


def _check_complete(seen: Any) -> None:
    assert seen["completion"]["values"] == ["core"]


def _check_prompts(seen: Any) -> None:
    (listed,) = seen["listed"]["prompts"]
    template, note = (message["content"]["text"] for message in seen["filled"]["messages"])

    assert (listed["name"], [each["name"] for each in listed["arguments"]]) == (
        "prd-template",
        ["what", "when"],
    )
    assert template.encode() == DOCUMENTS["templates/prd-template.xml"].replace(b"{{what}}", b"R&amp;D")
    assert "{{when}}" in note


def _check_search(seen: Any) -> None:
    assert {tool["name"] for tool in seen["tools"]["tools"]} == TOOLS
    assert (
        seen["found"]["structuredContent"]["results"][0]["documentUri"] == "mcp://resources/patterns/go/core"
    )
    assert seen["read"]["structuredContent"]["text"].encode() == DOCUMENTS["go/patterns-core.md"]


def _check_subscribe(seen: Any) -> None:
    assert seen["uri"] == ASKS["subscribe"]
    assert _content(seen["read"]) == (ASKS["subscribe"], EDITED.encode())


def _content(result: Any) -> tuple[str, bytes]:
    (item,) = result["contents"]
    return item["uri"], b64decode(item["blob"]) if "blob" in item else item["text"].encode()


_CHECKS: dict[str, Callable[[Any], None]] = {
    "list": _check_list,
    "read": _check_read,
    "errors": _check_errors,
    "complete": _check_complete,
    "prompts": _check_prompts,
    "search": _check_search,
    "subscribe": _check_subscribe,
}
