"""Search for sockets among the descriptors of this process without duplicating them.

Any number may be closed and reused by another thread at any moment. So a reader compares the inode before and
after, and a socket is shut down through a duplicate whose inode was compared. A duplicate of any other file
is never made on purpose: closing one would drop the locks that SQLite holds on it (fcntl(2)). Linux only;
elsewhere nothing is found. Searching blocks, as it looks at every descriptor.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import NamedTuple

ACKED = struct.Struct("=120xQ")
"""`tcpi_bytes_acked` in `struct tcp_info` of linux/tcp.h."""

_DESCRIPTORS = "/proc/self/fd"
_FAMILIES = {socket.AF_INET, socket.AF_INET6}

Address = tuple[str, int]
"""Host and port."""


class Descriptor(NamedTuple):
    """A descriptor number with the socket that it referred to when it was found."""

    number: int
    inode: int


def connections_by_peer() -> dict[Address, Descriptor]:
    """Return this process's TCP connections by remote address."""
    return {remote: descriptor for descriptor, _, remote in connections()}


def connections() -> Iterator[tuple[Descriptor, Address, Address]]:
    """Yield this process's TCP connections, each with its local and remote address."""
    for descriptor in _sockets():
        try:
            with _looking_at(descriptor.number) as connection:
                if connection.family not in _FAMILIES:
                    continue
                local, remote = connection.getsockname()[:2], connection.getpeername()[:2]
        except OSError:
            continue  # it is listening, or was closed meanwhile
        yield descriptor, local, remote


def read_acked(descriptor: Descriptor) -> int | None:
    """Return how many bytes the other end has acknowledged; None once the number refers to another file."""
    info = read_tcp_info(descriptor, ACKED)
    return None if info is None else info[0]


def read_tcp_info(descriptor: Descriptor, layout: struct.Struct) -> tuple[int, ...] | None:
    """Return fields of a connection's `struct tcp_info`; None once the number refers to another file.

    Args:
        descriptor: The connection.
        layout: Fields to return, with padding for those before them.
    """
    if _inode_of_socket(descriptor.number) != descriptor.inode:
        return None
    try:
        with _looking_at(descriptor.number) as connection:
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, layout.size)
        fields = layout.unpack(info)
    except (OSError, struct.error):
        return None
    # The inode of a closed socket does not come back: the number referred to this connection all the time.
    return fields if _inode_of_socket(descriptor.number) == descriptor.inode else None


def shut_down(inodes: Collection[int]) -> None:
    """Shut down the sockets of this process that have one of these inodes."""
    for descriptor in _sockets():
        if descriptor.inode in inodes:
            cut(descriptor)


def cut(descriptor: Descriptor) -> bool:
    """Shut a connection down, unless its number refers to another file by now; return whether it was."""
    if _inode_of_socket(descriptor.number) != descriptor.inode:
        return False
    try:
        copy = os.dup(descriptor.number)
    except OSError:
        return False
    try:
        # The file under the copy's number cannot change any more.
        if _inode_of_socket(copy) != descriptor.inode:
            return False
        with _looking_at(copy) as connection:
            connection.getpeername()  # raises for a listening socket, which must never be shut down
            connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return False  # the client was faster
    else:
        return True
    finally:
        os.close(copy)


def _sockets() -> Iterator[Descriptor]:
    try:
        names = os.listdir(_DESCRIPTORS)  # noqa: PTH208 - names are all that is wanted
    except OSError:
        return
    for name in names:
        inode = _inode_of_socket(int(name))
        if inode is not None:
            yield Descriptor(int(name), inode)


def _inode_of_socket(number: int) -> int | None:
    try:
        status = os.fstat(number)
    except OSError:
        return None
    return status.st_ino if stat.S_ISSOCK(status.st_mode) else None


@contextmanager
def _looking_at(number: int) -> Iterator[socket.socket]:
    """Wrap a descriptor as a socket object, without owning or closing it."""
    borrowed = socket.socket(fileno=number)
    try:
        yield borrowed
    finally:
        borrowed.detach()
