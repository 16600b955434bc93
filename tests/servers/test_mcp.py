"""MCP over Streamable HTTP, as bytes on the wire, under both servers."""

from __future__ import annotations

import json
from base64 import b64decode
from hashlib import sha256
from typing import Any

import httpx
import pytest

from tests.support.servers import DOCUMENTS, ERAS, Server, message, post

CORE = "mcp://resources/sdlc/core"
CAPABILITIES: dict[str, dict[str, bool]] = {
    "resources": {"subscribe": True, "listChanged": True},
    "prompts": {},
    "completions": {},
    "tools": {},
}
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
MODERN = {**JSON, "mcp-protocol-version": "2026-07-28"}
LIST = {**MODERN, "mcp-method": "resources/list"}
META = message("modern", "x")["params"]["_meta"]


@pytest.mark.parametrize("era", ERAS)
def test_text_is_read_as_it_is(client: httpx.Client, era: str) -> None:
    response = post(client, era, "resources/read", uri=CORE)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert "mcp-session-id" not in response.headers
    (item,) = response.json()["result"]["contents"]
    document = DOCUMENTS["sdlc-core.md"]
    assert item.pop("_meta")["dev.choirbook/digest"] == f"sha256:{sha256(document).hexdigest()}"
    assert item == {"uri": CORE, "mimeType": "text/markdown", "text": document.decode()}


@pytest.mark.parametrize("era", ERAS)
def test_answer_says_where_it_came_from(client: httpx.Client, era: str) -> None:
    post(client, era, "resources/read", uri=CORE)

    assert post(client, era, "resources/read", uri=CORE).headers["x-cache"] == "hit"


@pytest.mark.parametrize("era", ERAS)
def test_binary_is_read_as_base64(client: httpx.Client, era: str) -> None:
    uri = "mcp://resources/files/images/logo.png"

    (item,) = post(client, era, "resources/read", uri=uri).json()["result"]["contents"]

    assert item.keys() == {"uri", "mimeType", "blob", "_meta"}
    assert b64decode(item["blob"]) == DOCUMENTS["images/logo.png"]


@pytest.mark.parametrize("era", ERAS)
def test_alias_is_read_under_its_own_name(client: httpx.Client, era: str) -> None:
    uri = "mcp://resources/patterns/core"

    (item,) = post(client, era, "resources/read", uri=uri).json()["result"]["contents"]

    assert item["uri"] == uri
    assert item["text"].encode() == DOCUMENTS["python/patterns-core.md"]


def test_only_the_modern_era_says_how_long_an_answer_holds(client: httpx.Client) -> None:
    modern = post(client, "modern", "resources/read", uri=CORE).json()["result"]
    handshake = post(client, "handshake", "resources/read", uri=CORE).json()["result"]

    assert handshake.keys() == {"contents"}
    assert modern.keys() == {"resultType", "contents", "ttlMs", "cacheScope", "_meta"}
    assert (modern["resultType"], modern["cacheScope"]) == ("complete", "public")
    assert modern["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "choirbook"


@pytest.mark.parametrize("id_", [0, -7, 2**53, "a", "ünïcode", 'quo"te', "x" * 120])
def test_id_comes_back_as_it_was_sent(client: httpx.Client, id_: int | str) -> None:
    response = client.post("/mcp", json=message("handshake", "ping", id_), headers=JSON)

    assert response.json() == {"jsonrpc": "2.0", "id": id_, "result": {}}


@pytest.mark.parametrize(
    ("era", "code", "uri"),
    [("handshake", -32002, "mcp://resources/sdlc/nothing"), ("modern", -32602, "mcp://resources/sdlc/nothing"),
     ("handshake", -32602, "mcp://resources/../etc/passwd"), ("modern", -32602, "file:///etc/passwd"),
     ("handshake", -32602, "nonsense"), ("modern", -32602, "mcp://resources/a%00b")],
)  # fmt: skip
def test_read_that_fails_has_the_code_of_its_era(client: httpx.Client, era: str, code: int, uri: str) -> None:
    response = post(client, era, "resources/read", uri=uri)

    assert response.status_code == 200
    assert response.json()["error"]["code"] == code


@pytest.mark.parametrize("era", ERAS)
def test_cursor_of_somebody_else_is_refused(client: httpx.Client, era: str) -> None:
    for cursor in ("", "bm9uc2Vuc2U", "~"):
        assert post(client, era, "resources/list", cursor=cursor).json()["error"]["code"] == -32602


def test_notifications_are_accepted_without_a_word(client: httpx.Client) -> None:
    handshake = message("handshake", "notifications/initialized", None)
    modern = message("modern", "notifications/cancelled", None, requestId=1)

    for sent, headers in ((handshake, JSON), (modern, MODERN)):
        response = client.post("/mcp", json=sent, headers=headers)
        assert (response.status_code, response.content) == (202, b"")


def test_batch_is_answered_at_the_revision_that_has_batches(client: httpx.Client) -> None:
    batch = [message("handshake", "ping", n) for n in range(3)]
    batch.append(message("handshake", "notifications/initialized", None))

    for headers in (JSON, {**JSON, "mcp-protocol-version": "2025-03-26"}):
        answers = client.post("/mcp", json=batch, headers=headers).json()
        assert sorted(answer["id"] for answer in answers) == [0, 1, 2]
    for revision in ("2025-06-18", "2025-11-25", "2026-07-28"):
        refused = client.post("/mcp", json=batch, headers={**JSON, "mcp-protocol-version": revision})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32600)


BAD: list[tuple[str, bytes | dict[str, Any], dict[str, str], int, int]] = [
    ("no JSON", b"{", JSON, 400, -32700),
    ("nothing", b"", JSON, 400, -32700),
    ("not UTF-8", b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"\xff"}}', JSON, 400, -32700),
    ("too deep", b"[" * 5000 + b"]" * 5000, JSON, 400, -32700),
    ("a number", b"1", JSON, 400, -32600),
    ("no method", {"jsonrpc": "2.0", "id": 1}, JSON, 400, -32600),
    ("another version of JSON-RPC", {"jsonrpc": "1.0", "id": 1, "method": "ping"}, JSON, 400, -32600),
    ("null as id", {"jsonrpc": "2.0", "id": None, "method": "ping"}, JSON, 400, -32600),
    ("a fraction as id", {"jsonrpc": "2.0", "id": 1.5, "method": "ping"}, JSON, 400, -32600),
    ("unknown method", message("handshake", "tasks/list"), JSON, 200, -32601),
    ("no parameter", message("handshake", "resources/read"), JSON, 200, -32602),
    ("modern, unknown method", message("modern", "ping"), {**MODERN, "mcp-method": "ping"}, 404, -32601),
    ("modern, no _meta", {"jsonrpc": "2.0", "id": 1, "method": "resources/list"}, LIST, 400, -32602),
    ("modern, no header", message("modern", "resources/list"), JSON, 400, -32020),
    ("modern, other method", message("modern", "resources/list"), {**LIST, "mcp-method": "x"}, 400, -32020),
    ("modern, other name", message("modern", "resources/read", uri=CORE),
     {**MODERN, "mcp-method": "resources/read", "mcp-name": "mcp://resources/sdlc/other"}, 400, -32020),
    ("modern, unknown revision",
     {"jsonrpc": "2.0", "id": 1, "method": "resources/list",
      "params": {"_meta": {**META, "io.modelcontextprotocol/protocolVersion": "2031-01-01"}}},
     {**LIST, "mcp-protocol-version": "2031-01-01"}, 400, -32022),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"), [pytest.param(*rest, id=name) for name, *rest in BAD]
)
def test_message_that_is_wrong_gets_its_code(
    client: httpx.Client, body: bytes | dict[str, Any], headers: dict[str, str], status: int, code: int
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    response = client.post("/mcp", content=content, headers=headers)

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert response.json().get("id", 1) == 1


def test_unsupported_revision_is_told_which_there_are(client: httpx.Client) -> None:
    meta = {**META, "io.modelcontextprotocol/protocolVersion": "2031-01-01"}
    sent = {"jsonrpc": "2.0", "id": 1, "method": "resources/list", "params": {"_meta": meta}}

    error = client.post("/mcp", json=sent, headers={**LIST, "mcp-protocol-version": "2031-01-01"}).json()[
        "error"
    ]

    supported = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"]
    assert error["data"] == {"supported": supported, "requested": "2031-01-01"}


def test_header_that_comes_twice_is_a_mismatch(client: httpx.Client) -> None:
    headers = [*LIST.items(), ("mcp-method", "resources/list")]

    response = client.post("/mcp", json=message("modern", "resources/list"), headers=headers)

    assert response.json()["error"]["code"] == -32020


@pytest.mark.parametrize(
    ("asked", "given"),
    [("2025-11-25", "2025-11-25"), ("2025-06-18", "2025-06-18"), ("2025-03-26", "2025-03-26"),
     ("2024-11-05", "2025-11-25"), ("2026-07-28", "2025-11-25")],
)  # fmt: skip
def test_handshake_settles_on_a_revision(client: httpx.Client, asked: str, given: str) -> None:
    sent = {"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}

    result = post(client, "handshake", "initialize", **sent).json()["result"]

    assert result["protocolVersion"] == given
    assert result["serverInfo"]["name"] == "choirbook"
    assert result["capabilities"] == CAPABILITIES


def test_discovery_tells_the_same_to_everybody(server: Server) -> None:
    with server.client() as one, server.client() as other:
        answers = [post(client, "modern", "server/discover").json()["result"] for client in (one, other)]

    assert answers[0] == answers[1]
    assert answers[0]["supportedVersions"] == ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"]
    assert answers[0]["capabilities"] == CAPABILITIES
