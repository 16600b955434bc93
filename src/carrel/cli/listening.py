"""Where Carrel listens: one socket for each worker, made before them and kept by who starts them.

The system spreads connections over the sockets. What waits in the socket of a worker that is killed is
answered by the worker that takes its place (docs/adr/0008).
"""

from __future__ import annotations

import errno
import socket

from carrel.errors import AddressUnavailable

BACKLOG = 2048
"""Connections that may wait in one socket."""


def listen(host: str, port: int, workers: int, flag: str = "--port") -> list[socket.socket]:
    """Return sockets that listen on one address.

    Args:
        host: A name or an address of this machine.
        port: 0 for any that is free.
        workers: How many sockets.
        flag: By which another address is chosen.

    Raises:
        AddressUnavailable: The address is taken or not ours.
    """
    first = _bind(host, port, flag, shared=False)
    # From here on others of this user could join it. It was bound without: a second server on the same port
    # is to fail, not to take half of the first one's connections.
    first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sockets = [first]
    while len(sockets) < workers:
        sockets.append(_bind(host, port_of(sockets), flag, shared=True))
    for each in sockets:
        each.listen(BACKLOG)
        each.setblocking(False)
    return sockets


def port_of(sockets: list[socket.socket]) -> int:
    """Return the port that sockets of `listen` have in common."""
    port: int = sockets[0].getsockname()[1]
    return port


def _bind(host: str, port: int, flag: str, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        where = f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise AddressUnavailable(
                f"{where} is in use by another program. Stop it, or choose another port with {flag}."
            ) from error
        raise AddressUnavailable(f"Cannot listen on {where}: {error.strerror or error}.") from error
    return bound
