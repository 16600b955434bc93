"""A real nginx that ends TLS before a server, or has it below a path."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.nginx import running_nginx
from tests.support.redis import free_port

_SITE = """
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
    directory.mkdir(parents=True)
    if name:
        _sign(directory, name)
    tls = _TLS.format(directory=directory) if name else ""
    port = free_port()
    site = _SITE.format(port=port, tls=tls, path=path, upstream=upstream, host=host)
    with running_nginx(site, port, directory):
        yield port


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
