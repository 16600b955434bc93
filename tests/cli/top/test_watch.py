"""`choirbook top` as a person and as a program run it, against real servers."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import socket
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from choirbook.cli.top.scraper import Scraper
from choirbook.errors import InvalidSettings, NotChoirbook, ServerUnreachable
from tests.servers.metrics import metrics, total
from tests.support.cli import choirbook
from tests.support.servers import (
    DEADLINE_S,
    Server,
    environment,
    rsgi_command,
    running,
    wait_for,
    write_library,
)
from tests.support.servers import choirbook as command

CORE_PATH = "/mcp/resources/sdlc/core"
READS = 50


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = write_library(tmp_path_factory.mktemp("library"))
    with running(rsgi_command(root, "--workers", "2"), tmp_path_factory.mktemp("run")) as server:
        with server.client() as client:
            wait_for(lambda: total(metrics(client), "choirbook_watch_up") == 1, "all workers watch")
            wait_for(lambda: total(metrics(client), "choirbook_workers") == 2, "all workers run")
        yield server


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[str]:
    """Another server, that answers all requests so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as other:
        thread = threading.Thread(target=other.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{other.server_address[1]}"
        other.shutdown()
        thread.join(DEADLINE_S)


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def reading(server: Server) -> Iterator[None]:
    """Read as long as the context lasts: a command may take seconds to start."""
    ending = threading.Event()

    def read() -> None:
        with server.client(fresh=True) as client:
            while not ending.is_set():
                client.get(CORE_PATH)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join(DEADLINE_S)


def test_a_program_gets_the_figures_of_one_interval(server: Server) -> None:
    with reading(server):
        found = choirbook("top", "--url", server.url, "--once", "--json", "--interval", "0.5")
    assert (found.returncode, found.stderr) == (0, "")
    told = json.loads(found.stdout)
    assert told["readsPerS"] > 0
    assert told["requestsPerS"] >= told["readsPerS"]
    assert told["hitRate"] > 0
    (hits,) = [row for row in told["latencies"] if row["cacheResult"] == "hit"]
    assert hits["resourceType"] == "sdlc"
    assert 0 < hits["p50Ms"] <= hits["p95Ms"] <= hits["p99Ms"]
    assert (told["workers"], told["resources"], told["states"]) == (2, 8, [])
    assert told["cacheBytes"] > 0


def test_a_person_sees_the_same_without_a_terminal(server: Server) -> None:
    found = choirbook("top", "--interval", "0.1", environment={"CHOIRBOOK_PORT": str(server.port)})
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith(server.url)
    for name in ("reads/s", "hit rate", "p99 ms", "workers", "No problems found."):
        assert name in found.stdout
    assert "\x1b" not in found.stdout


def test_programs_get_a_line_each_time_until_they_hang_up(server: Server) -> None:
    arguments = command("top", "--url", server.url, "--json", "--interval", "0.1")
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.stdout.close()
        assert process.wait(DEADLINE_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert lines[0]["overS"] < lines[2]["overS"]


def on_a_terminal(server: Server, terminal: int, columns: int) -> subprocess.Popen[bytes]:
    """Run `choirbook top` as a person does."""
    return subprocess.Popen(
        command("top", "--url", server.url, "--interval", "0.1"),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**environment(), "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "30"},
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_terminal_is_as_before_after_the_end(server: Server, number: int) -> None:
    controller, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    process = on_a_terminal(server, terminal, columns=100)
    try:
        said = read_until(controller, b"No problems found")
        process.send_signal(number)
        said += read_until(controller, b"\x1b[?1049l")
        assert process.wait(DEADLINE_S) == 0
        assert termios.tcgetattr(terminal) == before
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
        os.close(controller)
    # Into the other screen and out of it, the cursor away and back again; no traceback.
    assert said.count(b"\x1b[?1049h") == said.count(b"\x1b[?1049l") == 1
    assert said.rindex(b"\x1b[?25h") > said.rindex(b"\x1b[?25l")
    assert b"Traceback" not in said


def read_until(descriptor: int, wanted: bytes) -> bytes:
    said = b""
    end_s = time.monotonic() + DEADLINE_S
    while wanted not in said:
        assert time.monotonic() < end_s, said
        if select.select([descriptor], [], [], 0.1)[0]:
            said += os.read(descriptor, 65536)
    return said


def test_a_server_that_ends_is_waited_for(tmp_path: Path) -> None:
    root = write_library(tmp_path / "library")
    controller, terminal = pty.openpty()
    with running(rsgi_command(root), tmp_path / "run") as server:
        process = on_a_terminal(server, terminal, columns=150)
        read_until(controller, b"No problems found")
    try:
        read_until(controller, b"No server answers")
        again = ["choirbook", "serve", str(root), "--port", str(server.port)]
        with running([*command(), *again[1:]], tmp_path / "again"):
            read_until(controller, b"No problems found")
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGINT)
        read_until(controller, b"\x1b[?1049l")
        process.wait(DEADLINE_S)
        os.close(terminal)
        os.close(controller)


def test_where_nobody_answers_it_says_so() -> None:
    found = choirbook("top", "--url", f"http://127.0.0.1:{unused_port()}")
    assert found.returncode == 3
    assert found.stdout == ""
    assert found.stderr.startswith("choirbook: No server answers at http://127.0.0.1:")
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 404),
        (b"", 500),
        (b"<html>hello</html>", 200),
        (b"\xff\xfe\x00", 200),
        (b"up 1\n", 200),
        (b'x{a="\n', 200),
        (b"choirbook_catalog_resources 1\n" * 400_000, 200),
    ],
)
def test_what_is_not_choirbook_is_told_apart(body: bytes, status: int) -> None:
    with answering(body, status) as url, pytest.raises(NotChoirbook, match=url):
        Scraper(url).scrape()


def test_what_is_not_choirbook_has_an_exit_code() -> None:
    with answering(b"up 1\n") as url:
        found = choirbook("top", "--url", url)
    assert found.returncode == 5
    assert "are not Choirbook's" in found.stderr


def test_what_speaks_another_protocol_is_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.sendall(b"SSH-2.0-none\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises((NotChoirbook, ServerUnreachable)):
            Scraper(f"http://127.0.0.1:{listener.getsockname()[1]}").scrape()
        thread.join(DEADLINE_S)


def test_names_of_a_strange_server_cannot_harm_the_terminal() -> None:
    name = b"mcp_resource_loading_latency_seconds"
    labels = b'{resource_type="\x1b[2J[red]",cache_result="hit",le="+Inf"}'
    hostile = b"# TYPE " + name + b" histogram\n" + name + b"_bucket" + labels + b" 5\n"
    with answering(b"choirbook_catalog_resources 1\n" + hostile) as url:
        seen = Scraper(url).scrape()
    assert [kind.type for kind in seen.reads] == ["\\x1b[2J[red]"]


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://localhost", "http://", "http://a:b", "http://a b", "http://a\n", "http://a:99999"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings, match="is not the URL"):
        Scraper(url)
