"""Access of pages of another origin to responses."""

from pathlib import Path

import pytest

from choirbook.http.allowed_hosts import AllowedHosts
from choirbook.http.exchange import Request, Response
from choirbook.http.router import Router, Subtree
from choirbook.servers.asgi.server import AsgiHeaders
from tests.support.apps import Served, serving
from tests.support.servers import message

ECHOED = Response(200, [])
APP = "https://app.example"
CORE = "/mcp/resources/sdlc/core"
WANTED = {
    "content-type",
    "mcp-protocol-version",
    "mcp-session-id",
    "mcp-method",
    "mcp-name",
    "last-event-id",
    "authorization",
    "if-none-match",
}


def words(value: str) -> set[str]:
    return {word.strip() for word in value.split(",")}


@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/mcp/resources", CORE, "/mcp/search", "/nothing"])
@pytest.mark.parametrize("origin", [APP, "http://localhost:6274"])
async def test_a_preflight_of_an_allowed_origin_is_answered(library: Path, path: str, origin: str) -> None:
    async with serving(library, allowed_origins=(APP,)) as served:
        asked = {
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type, mcp-param-owner, x-other",
        }
        response = await served.client.options(path, headers=asked)
    headers = response.headers
    assert (response.status_code, response.content) == (204, b"")
    assert headers["access-control-allow-origin"] == origin
    assert {"GET", "HEAD", "POST", "DELETE"} <= words(headers["access-control-allow-methods"])
    allowed = words(headers["access-control-allow-headers"])
    assert WANTED | {"mcp-param-owner"} <= allowed
    assert "x-other" not in allowed
    assert int(headers["access-control-max-age"]) > 0
    assert "origin" in words(headers["vary"])
    assert "access-control-allow-credentials" not in headers
    assert "access-control-allow-private-network" not in headers


async def test_a_public_page_may_ask_for_a_server_of_this_machine(library: Path) -> None:
    asked = {"origin": APP, "access-control-request-method": "GET"}
    async with serving(library, allowed_origins=(APP,)) as served:
        private = {**asked, "access-control-request-private-network": "true"}
        response = await served.client.options("/mcp", headers=private)
    assert response.headers["access-control-allow-private-network"] == "true"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (CORE, 200),
        (f"{CORE}?format=raw", 200),
        ("/mcp/resources", 200),
        ("/mcp/search?q=work", 200),
        ("/mcp/resources/nothing", 404),
        ("/nothing", 404),
        ("/mcp", 405),
        ("/readyz", 200),
    ],
)
async def test_an_allowed_page_reads_responses_and_errors(library: Path, path: str, status: int) -> None:
    async with serving(library, allowed_origins=(APP,)) as served:
        for _ in range(2):
            response = await served.get(path, origin=APP)
            assert response.status_code == status
            assert response.headers.get_list("access-control-allow-origin") == [APP]
            assert "origin" in words(", ".join(response.headers.get_list("vary")))
            exposed = words(response.headers["access-control-expose-headers"])
            assert {"mcp-session-id", "www-authenticate", "etag", "x-cache"} <= exposed
        plain = await served.get(path)
        assert "access-control-allow-origin" not in plain.headers


async def test_what_is_held_for_a_visit_is_not_shown_to_a_page(library: Path) -> None:
    async with serving(library, allowed_origins=(APP,)) as served:
        first = await served.get(CORE)
        again = await served.get(CORE, if_none_match=first.headers["etag"])
    assert again.status_code == 304
    for response in (first, again):
        assert "origin" in words(response.headers["vary"])


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://app.example.evil.example"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_another_page_is_told_nothing(library: Path, origin: str, method: str) -> None:
    asked = {"origin": origin, "access-control-request-method": "GET"}
    async with serving(library, allowed_origins=(APP,)) as served:
        response = await served.client.request(method, "/mcp", headers=asked)
    assert response.status_code == 403
    assert not [name for name in response.headers if name.startswith("access-control-")]


async def test_errors_of_the_server_itself_can_be_read(library: Path) -> None:
    async with serving(library, allowed_origins=(APP,), max_body_bytes=1024) as served:
        long = await served.client.post("/mcp", content=b"x" * 2000, headers={"origin": APP})
        other = await served.client.post(
            "/mcp", content=b"x" * 2000, headers={"origin": "https://evil.example"}
        )
    assert (long.status_code, other.status_code) == (413, 413)
    assert long.headers["access-control-allow-origin"] == APP
    assert "access-control-allow-origin" not in other.headers


async def test_a_session_is_opened_from_a_page(served: Served) -> None:
    hello = message(
        "handshake",
        "initialize",
        protocolVersion="2025-11-25",
        capabilities={},
        clientInfo={"name": "page", "version": "1"},
    )
    sent = {"origin": "http://localhost:6274", "accept": "application/json, text/event-stream"}
    response = await served.client.post("/mcp", json=hello, headers=sent)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "http://localhost:6274"


def test_a_request_without_an_origin_shares_the_headers_of_every_hit() -> None:
    router = Router(AllowedHosts(("localhost",), ()), {}, Subtree("/tree/", lambda _: ECHOED))
    plain = Request("GET", "/tree/a", "", AsgiHeaders([(b"host", b"localhost")]))
    of_page = Request(
        "GET", "/tree/a", "", AsgiHeaders([(b"host", b"localhost"), (b"origin", b"http://localhost")])
    )
    router.respond(plain)
    for _ in range(2):
        assert router.respond(plain) is ECHOED
        assert router.respond(of_page) is not ECHOED
    assert ECHOED.headers == []
