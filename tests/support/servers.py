"""Real servers for tests: processes on loopback, started, waited for, and ended by their own process id.

Run as a program (`python -m tests.support.servers DIR`) this module is the second server of the tests: the
same app under Uvicorn, by ASGI.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

REPOSITORY = Path(__file__).resolve().parents[2]

DEADLINE_S = 30.0
"""For whatever has to happen sooner or later: a machine that is busy may take its time."""

_POLL_S = 0.005
_NO_TLS = ssl.create_default_context()
"""Made once: it takes longer than most tests, and all servers here are plain HTTP."""

_ADDRESS = re.compile(r"http://(?:127\.0\.0\.1|0\.0\.0\.0):(\d+)")

Found = TypeVar("Found")


def wait_for(condition: Callable[[], Found | None], what: str, deadline_s: float = DEADLINE_S) -> Found:
    """Return what a condition returns once that is something; fail when the deadline comes first."""
    end_s = time.monotonic() + deadline_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end_s, f"{what}: not within {deadline_s:g} s"
        time.sleep(_POLL_S)


@dataclass(frozen=True, slots=True)
class Server:
    """A server process and what it printed."""

    process: subprocess.Popen[bytes]
    directory: Path
    """Where the process runs, and its output is kept."""
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def mcp_url(self) -> str:
        return f"{self.url}/mcp"

    @property
    def stdout(self) -> str:
        return (self.directory / "stdout").read_text("utf-8")

    @property
    def stderr(self) -> str:
        return (self.directory / "stderr").read_text("utf-8")

    def read_lines(self, uri: str) -> list[dict[str, Any]]:
        """Return the access log's lines about a URI; every whole line on stderr has to be JSON."""
        lines = [json.loads(line) for line in self.stderr.splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in lines if line.get("resource_uri") == uri]

    def client(self, *, fresh: bool = False) -> httpx.Client:
        """Make a client that says little by itself.

        Args:
            fresh: Use a connection of its own for each request, so that the system spreads them over workers.
        """
        plain = {"accept-encoding": "identity", "accept": "*/*"}
        return httpx.Client(
            base_url=self.url,
            headers=plain,
            trust_env=False,
            verify=_NO_TLS,
            timeout=DEADLINE_S,
            limits=httpx.Limits(max_keepalive_connections=0 if fresh else None),
        )

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        found: list[int] = []
        for task in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            found += [int(child) for child in task.read_text("utf-8").split()]
        return sorted(found)


def choirbook(*arguments: str | Path) -> list[str]:
    """Return the command line that runs Choirbook as its users do."""
    return [sys.executable, "-m", "choirbook", *map(str, arguments)]


def rsgi_command(library: Path, *options: str) -> list[str]:
    """Return the command line of `choirbook serve` on a port that the system chooses."""
    return choirbook("serve", library, "--port", "0", *options)


def asgi_command(library: Path) -> list[str]:
    """Return the command line of the same app under Uvicorn."""
    return [sys.executable, "-m", "tests.support.servers", str(library)]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a server: this process's, without the settings of whoever runs the tests."""
    foreign = ("CHOIRBOOK_", "CACHE_", "OTEL_")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    modules = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    return inherited | {"PYTHONPATH": modules} | dict(extra or {})


@contextmanager
def running(
    command: Sequence[str], directory: Path, variables: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run a server for as long as the context lasts.

    Args:
        command: What to run; prints where it listens.
        directory: Where it runs; its output goes to the files `stdout` and `stderr` there.
        variables: Of its environment, beside those of `environment`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "stdout").open("wb") as out, (directory / "stderr").open("wb") as err:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
    try:
        server = Server(process, directory, _port_of(process, directory))
        wait_for(lambda: _is_ready(server), f"{command} answers")
        yield server
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> int:
    """End a process the way a supervisor does, and return its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def _port_of(process: subprocess.Popen[bytes], directory: Path) -> int:
    def port() -> int | None:
        has_ended = process.poll() is not None
        said = "".join((directory / name).read_text("utf-8") for name in ("stdout", "stderr"))
        found = _ADDRESS.search(said)
        assert found or not has_ended, said
        return int(found[1]) if found else None

    return wait_for(port, "the server says where it listens")


def _is_ready(server: Server) -> bool:
    assert server.process.poll() is None, server.stderr
    try:
        # A server that is not Choirbook has no such route, and says so once it is up.
        return not httpx.get(f"{server.url}/readyz", trust_env=False, verify=_NO_TLS).is_server_error
    except httpx.TransportError:
        return False


def write_library(root: Path) -> Path:
    """Write a library that has a document of each kind, and return its root."""
    for path, content in DOCUMENTS.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return root


_PROSE = "Name things for what they are, and keep the names when they move.\n"

DOCUMENTS = {
    "sdlc-core.md": f"# How we work\n\nFrom an idea to a release.\n\n{_PROSE * 40}".encode(),
    "python/patterns-core.md": f"# Python core\n\nHow we write Python.\n\n{_PROSE * 60}".encode(),
    "go/patterns-core.md": f"# Go core\n\nHow we write Go: naïve is fine.\n\n{_PROSE * 50}".encode(),
    "templates/prd-template.xml": (
        b"<prd><title>PRD</title><description>Why</description><body>{{what}}, {{when}}</body></prd>\n"
    ),
    "notes/read me.txt": b"A name with a blank.\n",
    "notes/naïve.txt": "Zażółć gęślą jaźń.\n".encode(),
    "notes/scratch.txt": b"To be edited.\n",
    "images/logo.png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8,
}
"""The documents of `write_library`, by their paths."""

ERAS = ("handshake", "modern")


def message(era: str, method: str, id_: int | str | None = 1, **params: Any) -> dict[str, Any]:
    """Make a JSON-RPC message; a notification where the id is None."""
    if era == "modern":
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            **params.get("_meta", {}),
        }
    made: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    return made if id_ is None else {**made, "id": id_}


def post(client: httpx.Client, era: str, method: str, **params: Any) -> httpx.Response:
    """Send a request to the MCP endpoint as a client of an era does, the handshake itself left out."""
    headers = {"accept": "application/json, text/event-stream"}
    if era == "modern":
        headers |= {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
        if method == "resources/read":
            encoded = b64encode(str(params["uri"]).encode()).decode()
            headers["mcp-name"] = f"=?base64?{encoded}?="
    return client.post("/mcp", json=message(era, method, **params), headers=headers)


class Unfinished(Exception):
    """The server closed the connection before a whole response."""


@dataclass(frozen=True, slots=True)
class RawResponse:
    """A response as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class RawConnection:
    """A TCP connection to a server, for what no HTTP client would send."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def hang_up(self) -> None:
        """Say that nothing more will be sent."""
        self._socket.shutdown(socket.SHUT_WR)

    def receive(self, *, has_body: bool = True) -> RawResponse:
        """Read one response.

        Args:
            has_body: False where the request was `HEAD`.

        Raises:
            Unfinished: The server hung up.
        """
        try:
            status, headers = self._receive_head()
            size = int(headers.get("content-length", "0")) if has_body and status not in {204, 304} else 0
            body = self._file.read(size)
        except ConnectionError as error:
            raise Unfinished from error
        if len(body) < size:
            raise Unfinished
        return RawResponse(status, headers, body)

    def _receive_head(self) -> tuple[int, dict[str, str]]:
        start = self._file.readline()
        if not start.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")):
            raise Unfinished(start)
        headers: dict[str, str] = {}
        while (line := self._file.readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(start.split()[1]), headers


def serve_asgi(library: Path) -> None:
    """Serve a library under Uvicorn on a port that the system chooses; blocks until a signal."""
    import uvicorn

    from choirbook import create_app
    from choirbook.http.allowed_hosts import LOOPBACK_HOSTS
    from choirbook.settings import load

    app = create_app(load({"root": library, "allowed_hosts": LOOPBACK_HOSTS}))
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_config=None)).run(sockets=[listener])


if __name__ == "__main__":
    serve_asgi(Path(sys.argv[1]))
