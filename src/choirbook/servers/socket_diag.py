"""Queries to the kernel about single TCP connections by their addresses, over netlink (sock_diag(7)).

No descriptor of a connection is needed, none is duplicated, and no privilege is required. Linux only:
`SocketDiag` raises elsewhere, and in sandboxes that forbid such sockets. A query is answered within its own
`send`, so it does not block the event loop (docs/adr/0016).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from choirbook.servers.descriptors import ACKED, Address


class SocketEntry(NamedTuple):
    """The kernel's answer about a connection."""

    family: int
    id: bytes
    """`struct inet_diag_sockid`: the addresses and a cookie that no later connection has."""
    inode: int
    acked: int | None
    """Bytes that the peer's machine has acknowledged; None in a listing."""


RECEIVE_BYTES = 64 * 1024

LIST_TIMEOUT_S = 1.0
"""Timeout of a listing, in seconds: the kernel lists some hundred thousand connections in this time."""

_NETLINK_SOCK_DIAG = 4
_BY_FAMILY = 20
_ERROR, _DONE = 2, 3
_REQUEST, _DUMP = 0x001, 0x300
_ESTABLISHED = 1 << 1
_ANY_STATE = 0xFFFFFFFF
_INFO_EXTENSION = 1 << 1  # INET_DIAG_INFO - 1
_INFO_ATTRIBUTE = 2
_BYTECODE_ATTRIBUTE = 1
_NO_COOKIE = b"\xff" * 8

_HEADER = struct.Struct("=IHHII")
_REQUEST_HEAD = struct.Struct("=BBBxI")
_REPLY_HEAD = struct.Struct("=BBBB")
_ID_BYTES = 48
_PORTS = struct.Struct("!HH")
_REPLY_TAIL = struct.Struct("=IIIII")
_REPLY_BYTES = _REPLY_HEAD.size + _ID_BYTES + _REPLY_TAIL.size
_ATTRIBUTE = struct.Struct("=HH")
_PORT_EQUALS = struct.Struct("=BBHBBH")
"""`INET_DIAG_BC_S_EQ` with its operand: the offset of the next comparison, and the port."""
_SOURCE_PORT_EQ = 11


class SocketDiag:
    """One netlink socket.

    Raises:
        OSError: None can be created here.
    """

    def __init__(self) -> None:
        if not hasattr(socket, "AF_NETLINK"):
            raise OSError("netlink sockets are a feature of Linux")
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
        self._socket.settimeout(0)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def find(self, peer: Address, local_host: str, local_port: int) -> SocketEntry | None:
        """Find an open connection by its exact addresses.

        Args:
            peer: Address of the client's end.
            local_host: Address of this end, not a wildcard.
            local_port: Port of this end.
        """
        try:
            family, remote = _packed(peer[0])
            local_family, local = _packed(local_host)
        except (OSError, ValueError):
            return None
        if family != local_family:
            return None
        addresses = local.ljust(16, b"\0") + remote.ljust(16, b"\0")
        id_ = _PORTS.pack(local_port, peer[1]) + addresses + bytes(4) + _NO_COOKIE
        found = self._ask(family, id_)
        # For a wildcard, the kernel returns the listening socket, which has no other end.
        return found if found is not None and _PORTS.unpack_from(found.id)[1] == peer[1] else None

    def look_again(self, found: SocketEntry) -> SocketEntry | None:
        """Query a known connection again; None once it is closed, even if its addresses are in use."""
        return self._ask(found.family, found.id)

    def list_connections(self, server: Address) -> dict[Address, SocketEntry]:
        """List the open connections of a listening port by their peer; blocking.

        The kernel scans its whole table.

        Raises:
            OSError: The kernel does not list them.
        """
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        comparison = _PORT_EQUALS.pack(_SOURCE_PORT_EQ, 8, 12, 0, 0, server[1])
        attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(comparison), _BYTECODE_ATTRIBUTE) + comparison
        request = _REQUEST_HEAD.pack(family, socket.IPPROTO_TCP, 0, _ESTABLISHED) + bytes(_ID_BYTES)
        self._socket.settimeout(LIST_TIMEOUT_S)
        self._send(request + attribute, _DUMP)
        return {
            (_unpacked(found.family, found.id[20:36]), _PORTS.unpack_from(found.id)[1]): found
            for found in self._replies()
        }

    def _ask(self, family: int, id_: bytes) -> SocketEntry | None:
        request = _REQUEST_HEAD.pack(family, socket.IPPROTO_TCP, _INFO_EXTENSION, _ANY_STATE)
        try:
            self._send(request + id_, 0)
            data = self._socket.recv(RECEIVE_BYTES)
        except OSError:
            return None
        length, kind, *_ = _HEADER.unpack_from(data)
        return None if kind == _ERROR else _read(data[_HEADER.size : length])

    def _send(self, payload: bytes, flags: int) -> None:
        header = _HEADER.pack(_HEADER.size + len(payload), _BY_FAMILY, _REQUEST | flags, 0, 0)
        self._socket.send(header + payload)

    def _replies(self) -> Iterator[SocketEntry]:
        while True:
            data = self._socket.recv(RECEIVE_BYTES)
            at = 0
            while at < len(data):
                length, kind, *_ = _HEADER.unpack_from(data, at)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    code: int = -struct.unpack_from("=i", data, at + _HEADER.size)[0]
                    raise OSError(code, "the kernel does not list connections")
                yield _read(data[at + _HEADER.size : at + length])
                at += _aligned(length)


def local_host(found: SocketEntry) -> str:
    """Return the address of this end of a connection."""
    return _unpacked(found.family, found.id[4:20])


def _read(reply: bytes) -> SocketEntry:
    id_ = reply[_REPLY_HEAD.size : _REPLY_HEAD.size + _ID_BYTES]
    inode: int = _REPLY_TAIL.unpack_from(reply, _REPLY_HEAD.size + _ID_BYTES)[4]
    return SocketEntry(reply[0], id_, inode, _acked(reply))


def _acked(reply: bytes) -> int | None:
    at = _REPLY_BYTES
    while at + _ATTRIBUTE.size <= len(reply):
        length, kind = _ATTRIBUTE.unpack_from(reply, at)
        if kind == _INFO_ATTRIBUTE and length >= _ATTRIBUTE.size + ACKED.size:
            acked: int = ACKED.unpack_from(reply, at + _ATTRIBUTE.size)[0]
            return acked
        at += max(_aligned(length), _ATTRIBUTE.size)
    return None


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _packed(host: str) -> tuple[int, bytes]:
    """Return the family and the bytes of an address; the kernel also finds an IPv6 socket by a mapped one."""
    host = host.partition("%")[0]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return family, socket.inet_pton(family, host)


def _unpacked(family: int, packed: bytes) -> str:
    return socket.inet_ntop(family, packed[: 4 if family == socket.AF_INET else 16])
