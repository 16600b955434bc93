"""Listening sockets: one for each worker, created before the workers and kept by the parent process.

The system distributes connections over the sockets. Connections pending in the socket of a killed worker are
answered by its replacement (docs/adr/0008).
"""

from __future__ import annotations

import errno
import socket
import struct

from choirbook.errors import AddressUnavailable

BACKLOG = 2048
"""Maximum number of pending connections in one socket."""


GRACE_S = 1.0
"""Time in seconds by which the system's limit is longer: streams count the clients that they disconnect, so
they must act first."""

_LONGEST_MS = 2**31 - 1

_PENDING = struct.Struct("24xI")
"""`tcpi_unacked` of the system's `tcp_info`: for a listening socket, the number of pending connections."""


def listen(
    host: str, port: int, workers: int, flag: str = "--port", stall_s: float | None = None
) -> list[socket.socket]:
    """Return sockets that listen on one address.

    Args:
        host: A name or an address of this machine.
        port: 0 for any free port.
        workers: Number of sockets.
        flag: Command-line flag that changes the address, for error messages.
        stall_s: Time after which, plus `GRACE_S`, a client that reads nothing is disconnected, in seconds;
            None uses the system's limit.

    Raises:
        AddressUnavailable: The address is taken or not ours.
    """
    first = _bind(host, port, flag, shared=False)
    # From here on other processes of this user could bind the address. The first socket was bound without
    # this option: a second server on the same port must fail, not take half of the first one's connections.
    first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sockets = [first]
    while len(sockets) < workers:
        sockets.append(_bind(host, port_of(sockets), flag, shared=True))
    for each in sockets:
        if stall_s is not None:
            # Connections inherit it (tcp(7)); Granian has no write timeout of its own.
            longest_ms = min(int((stall_s + GRACE_S) * 1000), _LONGEST_MS)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, longest_ms)
        each.listen(BACKLOG)
        each.setblocking(False)
    return sockets


def port_of(sockets: list[socket.socket]) -> int:
    """Return the common port of sockets from `listen`."""
    port: int = sockets[0].getsockname()[1]
    return port


def pending_connections(listener: socket.socket) -> int:
    """Return the number of connections that wait in a listening socket to be accepted."""
    found = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _PENDING.size)
    count: int = _PENDING.unpack(found)[0]
    return count


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
