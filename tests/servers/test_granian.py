"""The app under Granian as it comes, without `choirbook serve` around it: the RSGI of its interface."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.support.servers import RawConnection, Server, message, post, running, write_library

PROGRAM = """
import socket
import sys
from pathlib import Path

from choirbook import create_app
from choirbook.http.allowed_hosts import LOOPBACK_HOSTS
from choirbook.settings import load
from granian import Granian

with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
print(f"http://127.0.0.1:{port}/mcp", flush=True)
settings = load({"root": Path(sys.argv[1]), "allowed_hosts": LOOPBACK_HOSTS, "max_body_bytes": 10_000})
Granian("choirbook", port=port, interface="rsgi").serve(
    target_loader=lambda: create_app(settings), wrap_loader=False
)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    library = write_library(tmp_path_factory.mktemp("library"))
    command = [sys.executable, "-c", PROGRAM, str(library)]
    with running(command, tmp_path_factory.mktemp("run")) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def test_documents_are_read_from_the_source_and_from_memory(client: httpx.Client) -> None:
    answers = [client.get("/mcp/resources/sdlc/core") for _ in range(2)]
    assert [answer.headers["x-cache"] for answer in answers] == ["miss", "hit"]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("era", ["modern", "handshake"])
def test_messages_are_answered(client: httpx.Client, era: str) -> None:
    answer = post(client, era, "resources/read", uri="mcp://resources/sdlc/core")
    assert answer.json()["result"]["contents"][0]["uri"] == "mcp://resources/sdlc/core"


def test_a_body_in_pieces_is_taken_whole(client: httpx.Client) -> None:
    body = json.dumps(message("handshake", "ping")).encode()
    headers = {"content-type": "application/json", "accept": "application/json"}
    answer = client.post("/mcp", content=iter([body[:10], body[10:]]), headers=headers)
    assert answer.json() == {"jsonrpc": "2.0", "id": 1, "result": {}}


def test_a_body_that_is_too_long_is_refused(client: httpx.Client) -> None:
    assert client.post("/mcp", content=b" " * 10_001).status_code == 413


def test_a_body_that_breaks_off_harms_nobody(server: Server, client: httpx.Client) -> None:
    with RawConnection(server.port) as raw:
        raw.send(b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{")
        raw.hang_up()
    assert client.get("/healthz").status_code == 200
