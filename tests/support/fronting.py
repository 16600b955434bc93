"""A real nginx that ends TLS before a server, or has it below a path."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.redis import free_port
from tests.support.servers import DEADLINE_S, wait_for

_MAIN = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port}{tls};
        location {path}/ {{
            proxy_pass http://127.0.0.1:{upstream}/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host {host};
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Prefix "{path}";
            proxy_buffering off;
        }}
    }}
}}
"""
_TLS = " ssl; ssl_certificate {directory}/cert.pem; ssl_certificate_key {directory}/key.pem"


@contextmanager
def fronted(
    upstream: int, directory: Path, *, path: str = "", name: str = "", host: str = "$host"
) -> Iterator[int]:
    """Run nginx before a server for as long as the context lasts, and yield its port of loopback.

    Args:
        upstream: The server's port.
        directory: For its files.
        path: Below which the server is, such as `/standards`; empty for the root.
        name: Of the certificate, where nginx ends TLS; empty for plain HTTP.
        host: `Host` of the requests to the server: that of the client, or `$proxy_host`, nginx's default.
    """
    nginx = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    assert nginx is not None, "nginx is not installed; scripts/install brings it on Debian"
    directory.mkdir(parents=True)
    if name:
        _sign(directory, name)
    port = free_port()
    main = directory / "nginx.conf"
    tls = _TLS.format(directory=directory) if name else ""
    main.write_text(
        _MAIN.format(directory=directory, port=port, tls=tls, path=path, upstream=upstream, host=host),
        "utf-8",
    )
    command = [nginx, "-e", str(directory / "error.log"), "-p", str(directory), "-c", str(main)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(port, process), "nginx listens")
        yield port
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


def _sign(directory: Path, name: str) -> None:
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    command += ["-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)


def _listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "nginx ended; stderr says why"
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
