"""A real nginx before several hosts, with the configuration that `deploy/` has for it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.redis import free_port
from tests.support.servers import DEADLINE_S, REPOSITORY, wait_for

CONFIGURATION = REPOSITORY / "deploy" / "nginx" / "carrel.conf"

_MAIN = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
worker_processes 1;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{site}
}}
"""
_SERVER = re.compile(r"^( *server) carrel-\w+:\d+( .*;)$", re.MULTILINE)


def site(addresses: Sequence[str], port: int, choice: str = "") -> str:
    """Return the configuration with other addresses.

    Args:
        addresses: Of the hosts, with their ports.
        port: Where nginx listens, on loopback.
        choice: How it chooses a host, such as "ip_hash;"; by turns when empty.
    """
    text = CONFIGURATION.read_text("utf-8")
    options = [found[2] for found in _SERVER.finditer(text)]
    assert len(options) == len(addresses), "one line for each host"
    for address, option in zip(addresses, options, strict=True):
        text = _SERVER.sub(f"    server {address}{option}", text, count=1)
    assert "listen 8080;" in text
    text = text.replace("listen 8080;", f"listen 127.0.0.1:{port};")
    return text.replace("upstream carrel {", f"upstream carrel {{ {choice}")


@contextmanager
def balancing(addresses: Sequence[str], directory: Path, choice: str = "") -> Iterator[int]:
    """Run nginx before some hosts for as long as the context lasts, and yield the port of loopback.

    Args:
        addresses: Of the hosts, with their ports.
        directory: For its files.
        choice: See `site`.
    """
    nginx = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if nginx is None:
        pytest.skip("nginx is not installed; scripts/install brings it on Debian")
    directory.mkdir(parents=True)
    port = free_port()
    main = directory / "nginx.conf"
    main.write_text(_MAIN.format(directory=directory, site=site(addresses, port, choice)), "utf-8")
    command = [nginx, "-e", str(directory / "error.log"), "-p", str(directory), "-c", str(main)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(port, process), "nginx listens")
        yield port
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


def _listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "nginx ended; stderr says why"
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
