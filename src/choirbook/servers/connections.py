"""Connections of clients, to see how much of the sent data they have acknowledged.

The kernel is asked by addresses (`socket_diag`). If it does not answer, as in some sandboxes, the process's
own descriptors are searched (`descriptors`): once for all clients in question, never once for each.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from choirbook.runtime.exhaustion import is_exhaustion
from choirbook.servers import descriptors
from choirbook.servers.descriptors import Address, Descriptor
from choirbook.servers.socket_diag import SocketDiag, SocketEntry, local_host

MAX_KNOWN_HOSTS = 8
"""Maximum number of local addresses tried at once for a server that listens on a wildcard."""


class ConnectionEnds(NamedTuple):
    """Addresses of both ends of a connection, as the server knows them."""

    peer: Address
    server: Address
    """Listening address of the server; its host may be a wildcard such as `0.0.0.0`."""


class TcpConnection(Protocol):
    """One connection; a later one with the same addresses or the same descriptor is different."""

    @property
    def inode(self) -> int:
        """Inode of its socket."""

    def read_acked(self) -> int | None:
        """Return how many bytes its other end has acknowledged, if known."""


class Connections:
    """Connections of this process.

    Args:
        ask_kernel: False to search descriptors only.
    """

    def __init__(self, *, ask_kernel: bool = True) -> None:
        self._asks_kernel = ask_kernel
        self._diag: SocketDiag | None = None
        self._known_hosts: list[str] = []

    def recognize(self, ends: ConnectionEnds) -> TcpConnection | None:
        """Return a connection that can be found without a search; on the event loop."""
        diag = self._open()
        if diag is None:
            return None
        for host in dict.fromkeys((ends.server[0], *self._known_hosts)):
            found = diag.find(ends.peer, host, ends.server[1])
            if found is not None:
                return _KernelConnection(self, found)
        return None

    def search(self, wanted: Collection[ConnectionEnds]) -> dict[ConnectionEnds, TcpConnection]:
        """Return the connections that one search for all of them finds; on a thread."""
        if self._asks_kernel:
            try:
                return self._search_kernel(wanted)
            except OSError as error:
                self._note(error)
        by_peer = descriptors.connections_by_peer()
        return {ends: _DescriptorConnection(by_peer[ends.peer]) for ends in wanted if ends.peer in by_peer}

    def close(self) -> None:
        """Close the descriptor held for queries while there are none."""
        diag, self._diag = self._diag, None
        if diag is not None:
            diag.close()

    def ask(self, found: SocketEntry) -> int | None:
        """Return how many bytes the other end of a connection has acknowledged."""
        diag = self._open()
        again = None if diag is None else diag.look_again(found)
        return None if again is None else again.acked

    def _open(self) -> SocketDiag | None:
        if self._diag is None and self._asks_kernel:
            try:
                self._diag = SocketDiag()
            except OSError as error:
                self._note(error)
        return self._diag

    def _note(self, error: OSError) -> None:
        # Without a descriptor there is no answer now; any other error is permanent.
        if not is_exhaustion(error):
            self._asks_kernel = False

    def _search_kernel(self, wanted: Collection[ConnectionEnds]) -> dict[ConnectionEnds, TcpConnection]:
        # A socket of its own: the event loop may close the other one meanwhile.
        diag = SocketDiag()
        found: dict[ConnectionEnds, TcpConnection] = {}
        try:
            for server in {ends.server for ends in wanted}:
                listed = diag.list_connections(server)
                for ends in wanted:
                    if ends.server == server and ends.peer in listed:
                        found[ends] = _KernelConnection(self, listed[ends.peer])
                        self._learn(local_host(listed[ends.peer]))
        finally:
            diag.close()
        return found

    def _learn(self, host: str) -> None:
        others = [known for known in self._known_hosts if known != host]
        self._known_hosts = [host, *others][:MAX_KNOWN_HOSTS]


class _KernelConnection:
    """A connection that the kernel reported."""

    __slots__ = ("_connections", "_found")

    def __init__(self, connections: Connections, found: SocketEntry) -> None:
        self._connections = connections
        self._found = found

    @property
    def inode(self) -> int:
        return self._found.inode

    def read_acked(self) -> int | None:
        return self._connections.ask(self._found)


class _DescriptorConnection:
    """A connection that was found among the descriptors."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor

    @property
    def inode(self) -> int:
        return self._descriptor.inode

    def read_acked(self) -> int | None:
        return descriptors.read_acked(self._descriptor)
