"""Host names that a request may use, over raw connections, under both servers."""

from __future__ import annotations

import pytest

from tests.support.servers import RawConnection, RawResponse, Server

CORE = "/mcp/resources/sdlc/core"
HERE = "Host: localhost"


def answer(server: Server, target: str, *lines: str | bytes, version: str = "1.1") -> RawResponse:
    """Send a request line and header lines as they are."""
    encoded = [line if isinstance(line, bytes) else line.encode() for line in lines]
    head = f"GET {target} HTTP/{version}".encode()
    with RawConnection(server.port) as connection:
        connection.send(b"\r\n".join([head, *encoded, b"", b""]))
        return connection.receive()


@pytest.mark.parametrize(
    "lines",
    [
        (HERE, HERE),
        (HERE, "Host: evil.example"),
        ("host: evil.example", HERE),
        (HERE, "Origin: http://localhost", "Origin: http://localhost"),
        (HERE, "Origin: http://localhost", "Origin: https://evil.example"),
    ],
)
@pytest.mark.parametrize("path", [CORE, "/healthz", "/mcp"])
def test_a_repeated_name_is_malformed(server: Server, path: str, lines: tuple[str, ...]) -> None:
    assert answer(server, path, HERE).status in {200, 405}
    assert answer(server, path, *lines).status == 400


@pytest.mark.parametrize(
    "lines",
    [
        (b"Host: localhost\xe9",),
        (HERE, b"Origin: http://localhost\xff"),
        (HERE, b"Origin: \xc3\xa9"),
        (HERE, b"Origin: https://evil.example\x80"),
    ],
)
def test_a_name_with_bytes_beyond_ascii_is_malformed(server: Server, lines: tuple[str | bytes, ...]) -> None:
    assert answer(server, CORE, *lines).status == 400


def test_the_request_line_names_no_other_authority(server: Server, kind: str) -> None:
    same = answer(server, f"http://localhost:1{CORE}", "Host: localhost:1")
    other = answer(server, f"http://evil.example{CORE}", HERE)
    both = answer(server, f"http://evil.example{CORE}", "Host: evil.example")
    old = answer(server, f"http://localhost{CORE}", version="1.0")
    if kind == "asgi":
        # Uvicorn hands over no authority, and takes the path by itself from what it is given.
        assert both.status == 421
        return
    assert (same.status, other.status, both.status, old.status) == (200, 400, 421, 200)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
@pytest.mark.parametrize("lines", [("Host: 10.0.0.7:8000",), ("Host: choirbook.ns.svc",), ("Host:",)])
def test_probes_come_by_any_name(server: Server, path: str, lines: tuple[str, ...]) -> None:
    assert answer(server, path, *lines).status == 200
    assert answer(server, CORE, *lines).status == 421


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_of_http_1_0_need_no_name(server: Server, path: str) -> None:
    assert answer(server, path, version="1.0").status == 200
    assert answer(server, CORE, version="1.0").status == 421


@pytest.mark.parametrize("path", ["/mcp/resources/sdlc%2Fcore", "/mcp%2fresources", f"{CORE}%2f..%2fcore"])
def test_an_encoded_slash_is_no_part_of_a_path(server: Server, path: str, kind: str) -> None:
    response = answer(server, path, HERE)
    if kind == "asgi":
        assert response.status == 400
    else:
        # Granian decodes the path before anybody sees it, so these two are one.
        assert response.status in {200, 400}
