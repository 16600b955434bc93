"""Where Choirbook listens: one socket for each worker, made before them and kept by who starts them.

The system spreads connections over the sockets. What waits in the socket of a worker that is killed is
answered by the worker that takes its place (docs/adr/0008).
"""

from __future__ import annotations

import errno
import socket

from choirbook.errors import AddressUnavailable

BACKLOG = 2048
"""Connections that may wait in one socket."""


GRACE_S = 1.0
"""Streams count the clients that they give up, so they are to come before the system does."""

_LONGEST_MS = 2**31 - 1


def listen(
    host: str, port: int, workers: int, flag: str = "--port", stall_s: float | None = None
) -> list[socket.socket]:
    """Return sockets that listen on one address.

    Args:
        host: A name or an address of this machine.
        port: 0 for any that is free.
        workers: How many sockets.
        flag: By which another address is chosen.
        stall_s: A client that takes nothing of what it was sent for so long, and `GRACE_S` more, is cut off;
            None waits for as long as the system does.

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
        if stall_s is not None:
            # Connections inherit it (tcp(7)); Granian has no timeout of its own for what it writes.
            longest_ms = min(int((stall_s + GRACE_S) * 1000), _LONGEST_MS)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, longest_ms)
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
