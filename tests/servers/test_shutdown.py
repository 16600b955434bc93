"""Stop of `choirbook serve`: requests in flight are answered, and nothing unnecessary is logged."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers.metrics import metrics, total
from tests.support.forbidding import WITHOUT_FILTERS
from tests.support.servers import (
    RawConnection,
    Server,
    message,
    rsgi_command,
    running,
    wait_for,
    write_library,
)

PROMISED_S = 10.0
BODY = json.dumps(message("handshake", "resources/read", uri="mcp://resources/sdlc/core")).encode()


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return write_library(tmp_path / "library")


@pytest.fixture(params=[(), WITHOUT_FILTERS], ids=["with socket filters", "without socket filters"])
def server(request: pytest.FixtureRequest, library: Path, tmp_path: Path) -> Iterator[Server]:
    """Serve as a user who may attach filters to sockets, and as one who may not: clients notice nothing."""
    command = [*request.param, *rsgi_command(library, "--workers", "2")]
    with running(command, tmp_path / "run") as server:
        wait_for(lambda: both_have_read(server), "both workers answer")
        yield server


def both_have_read(server: Server) -> bool:
    """Tell whether both workers answer by now: each misses the first time that it is asked for a document."""
    with server.client(fresh=True) as client:
        client.get("/mcp/resources/templates/prd-template").raise_for_status()
        return total(metrics(client), "mcp_resource_cache_misses_total", resource_type="template") == 2


def begin_request(connection: RawConnection) -> None:
    """Send a request up to the middle of its body, and wait until the server asks for the rest."""
    lines = [
        "POST /mcp HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        "Expect: 100-continue",
    ]
    connection.send("\r\n".join([*lines, f"Content-Length: {len(BODY)}", "", ""]).encode())
    assert connection.receive(has_body=False).status == 100
    connection.send(BODY[:20])


def takes_connections(server: Server) -> bool:
    try:
        with server.client() as client:
            return client.get("/healthz").is_success
    except httpx.TransportError:
        return False


def test_request_in_flight_is_answered_before_the_end(server: Server) -> None:
    with RawConnection(server.port) as connection:
        begin_request(connection)
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not takes_connections(server), "no new connections are taken")
        connection.send(BODY[20:])
        answer = connection.receive()

    assert answer.status == 200
    assert answer.json()["result"]["contents"][0]["uri"] == "mcp://resources/sdlc/core"
    assert server.process.wait(PROMISED_S) == 0
    assert "Traceback" not in server.stderr


def ask_until_the_last(connection: RawConnection) -> None:
    """Ask again and again until an answer says that it is the last; fail when the end comes before."""
    said = ""
    while said != "close":
        connection.send(b"GET /mcp/resources/sdlc/core HTTP/1.1\r\nHost: localhost\r\n\r\n")
        said = connection.receive().headers.get("connection", "")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP], ids=["stopped", "renewed"])
def test_connection_in_use_is_told_which_answer_is_its_last(server: Server, how: signal.Signals) -> None:
    with RawConnection(server.port) as connection:
        connection.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert "connection" not in connection.receive().headers
        server.process.send_signal(how)
        ask_until_the_last(connection)


def test_stalled_request_does_not_hold_up_the_end(library: Path, tmp_path: Path) -> None:
    with running(rsgi_command(library), tmp_path / "run") as server, RawConnection(server.port) as connection:
        begin_request(connection)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PROMISED_S) == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_server_ends_with_all_workers_and_lines_and_nothing_else_to_say(
    server: Server, how: signal.Signals
) -> None:
    workers = server.workers()
    with server.client() as client:
        for _ in range(30):
            client.get("/mcp/resources/sdlc/core")
        server.process.send_signal(how)
        assert server.process.wait(PROMISED_S) == 0

    assert workers
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), "all workers are gone")
    assert len(server.read_lines("mcp://resources/sdlc/core")) == 30
    (line,) = [line for line in server.stderr.splitlines() if '"event":"read"' not in line]
    assert '"message":"Stopped."' in line


def test_server_that_logs_for_people_says_that_it_stopped(library: Path, tmp_path: Path) -> None:
    command = rsgi_command(library, "--log-format", "console", "--log-level", "error", "--no-access-log")
    with running(command, tmp_path / "run") as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(PROMISED_S) == 0
    assert server.stderr == "Stopped.\n"
