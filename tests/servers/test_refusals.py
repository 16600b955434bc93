"""Responses to requests that cannot be fulfilled, under both servers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.problems import problem
from tests.support.servers import message

CORE = "/mcp/resources/sdlc/core"
JSON = {"content-type": "application/json"}
MIB = 1024 * 1024


def test_unknown_resource_gets_the_nearest_names(client: httpx.Client) -> None:
    document = problem(client.get("/mcp/resources/sdlc/kore"), 404)

    assert document["detail"].startswith("Resource not found: mcp://resources/sdlc/kore")
    assert document["nearest"][0] == "mcp://resources/sdlc/core"


@pytest.mark.parametrize("path", ["/nothing", "/mcp/nothing", "/metrics/more", "/docs"])
def test_unknown_route_is_not_found(client: httpx.Client, path: str) -> None:
    problem(client.get(path), 404)


@pytest.mark.parametrize(
    "path", ["/mcp/resources/", "/mcp/resources//", "/mcp/resources/sdlc/", "/mcp/resources/a;b"]
)
def test_path_that_is_no_uri_is_malformed(client: httpx.Client, path: str) -> None:
    problem(client.get(path), 400)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", [CORE, "/mcp/resources", "/healthz", "/metrics"])
def test_page_that_is_only_read_says_how(client: httpx.Client, method: str, path: str) -> None:
    response = client.request(method, path)

    problem(response, 405)
    assert response.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD"])
def test_mcp_endpoint_takes_posts_only(client: httpx.Client, method: str) -> None:
    response = client.request(method, "/mcp")

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0, text/*;q=0", "audio/*"])
def test_form_that_there_is_not_is_not_acceptable(client: httpx.Client, accept: str) -> None:
    problem(client.get(CORE, headers={"accept": accept}), 406)


def test_format_that_there_is_not_is_named(client: httpx.Client) -> None:
    assert "'yaml'" in problem(client.get(f"{CORE}?format=yaml"), 400)["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [({**JSON, "accept": "text/html"}, 406), ({"content-type": "text/plain"}, 415), ({}, 415)],
)
def test_mcp_endpoint_refuses_other_media_types(
    client: httpx.Client, headers: dict[str, str], status: int
) -> None:
    response = client.post("/mcp", content=b'{"jsonrpc":"2.0","id":1,"method":"ping"}', headers=headers)

    assert response.status_code == status
    assert response.json()["error"]["code"] == -32600


def test_body_up_to_the_limit_is_read_and_a_longer_one_refused(client: httpx.Client) -> None:
    ping = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'

    assert client.post("/mcp", content=ping.ljust(MIB), headers=JSON).status_code == 200
    assert client.post("/mcp", content=ping.ljust(MIB + 1), headers=JSON).status_code == 413


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1:8000:1", "user@localhost"]
)
@pytest.mark.parametrize("path", [CORE, "/openapi.json"])
def test_name_of_another_host_is_misdirected(client: httpx.Client, host: str, path: str) -> None:
    problem(client.get(path, headers={"host": host}), 421)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1", "[::1]:8000"])
def test_names_of_this_machine_are_answered(client: httpx.Client, host: str) -> None:
    assert client.get(CORE, headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", ""])
def test_page_of_another_origin_is_forbidden(client: httpx.Client, origin: str) -> None:
    problem(client.get(CORE, headers={"origin": origin}), 403)
    problem(client.post("/mcp", json=message("handshake", "ping"), headers={"origin": origin}), 403)


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443"])
def test_pages_of_this_machine_are_answered(client: httpx.Client, origin: str) -> None:
    assert client.get(CORE, headers={"origin": origin}).status_code == 200


def test_no_refusal_names_a_path_of_the_machine(client: httpx.Client, library: Any) -> None:
    for path in ("/mcp/resources/nothing", "/mcp/resources/..%2f", "/nothing", f"{CORE}?format=x"):
        assert str(library) not in client.get(path).text
