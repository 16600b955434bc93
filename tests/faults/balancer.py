"""A real nginx before several hosts, with the configuration that `deploy/` has for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.nginx import running_nginx
from tests.support.redis import free_port
from tests.support.servers import REPOSITORY

CONFIGURATION = REPOSITORY / "deploy" / "nginx" / "choirbook.conf"

_SERVER = re.compile(r"^( *server) choirbook-\w+:\d+( .*;)$", re.MULTILINE)


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
    return text.replace("upstream choirbook {", f"upstream choirbook {{ {choice}")


@contextmanager
def balancing(addresses: Sequence[str], directory: Path, choice: str = "") -> Iterator[int]:
    """Run nginx before some hosts for as long as the context lasts, and yield the port of loopback.

    Args:
        addresses: Of the hosts, with their ports.
        directory: For its files.
        choice: See `site`.
    """
    port = free_port()
    with running_nginx(site(addresses, port, choice), port, directory):
        yield port
