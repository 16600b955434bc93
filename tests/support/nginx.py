"""A real nginx."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.servers import DEADLINE_S, wait_for

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


@contextmanager
def running_nginx(site: str, port: int, directory: Path) -> Iterator[None]:
    """Run nginx for as long as the context lasts.

    Args:
        site: What its configuration has within `http`.
        port: Where that listens, on loopback.
        directory: For its files; it may exist.
    """
    nginx = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if nginx is None:
        pytest.skip("nginx is not installed; scripts/install brings it on Debian")
    directory.mkdir(parents=True, exist_ok=True)
    main = directory / "nginx.conf"
    main.write_text(_MAIN.format(directory=directory, site=site), "utf-8")
    command = [nginx, "-e", str(directory / "error.log"), "-p", str(directory), "-c", str(main)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(port, process), "nginx listens")
        yield
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
