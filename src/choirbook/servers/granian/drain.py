"""Closing of a listening socket without losing a connection: pending ones are accepted, new ones kept out.

Closing resets all pending connections. So new connections are kept out first, then pending ones get time to
be accepted, and then the socket is closed; from then on clients are refused, and try another server.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from choirbook.servers.granian.sockets import pending_connections

EMPTY_S = 0.02
"""Time in seconds without pending connections after which the socket counts as empty; handshakes under way
end meanwhile, in a network of one site."""

MAX_DRAIN_S = 0.5
"""Maximum time to drain, in seconds: stuck workers accept nothing, however long one waits."""

_SLICE_S = 0.002

_SO_ATTACH_FILTER = 26
_FLAGS_BYTE, _SYN = 13, 0x02
_LOAD_BYTE, _JUMP_IF_SET, _RETURN = 0x30, 0x45, 0x06
_DROP, _WHOLE = 0, 0xFFFFFFFF
_SYN_IS_DROPPED = (
    # Instructions of a classic BPF program (code, jump if true, jump if false, operand), which sees the TCP
    # header.
    (_LOAD_BYTE, 0, 0, _FLAGS_BYTE),
    (_JUMP_IF_SET, 0, 1, _SYN),
    (_RETURN, 0, 0, _DROP),
    (_RETURN, 0, 0, _WHOLE),
)


def drain(sockets: Sequence[socket.socket]) -> None:
    """Keep new connections out of listening sockets, and wait until the pending ones were accepted.

    A client that is kept out retries after a second, as for any lost packet.
    """
    if not sys.platform.startswith("linux"):
        return
    for each in sockets:
        _drop_new_connections(each)
    end_s = time.monotonic() + MAX_DRAIN_S
    empty_since_s = time.monotonic()
    while (now_s := time.monotonic()) < min(end_s, empty_since_s + EMPTY_S):
        if any(pending_connections(each) for each in sockets):
            empty_since_s = now_s
        time.sleep(_SLICE_S)


def stop_accepting(descriptor: int) -> None:
    """Stop a process from accepting connections on a descriptor that other code in it still uses.

    Pending connections stay for other holders of the socket. The descriptor is replaced by a socket to which
    nobody can connect, so accepting on it finds nothing.

    Raises:
        OSError: No such socket could be created, and nothing has changed.
    """
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        deaf.setblocking(False)
        _drop_new_connections(deaf)
        os.dup2(deaf.fileno(), descriptor, inheritable=False)


def _drop_new_connections(listener: socket.socket) -> None:
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in _SYN_IS_DROPPED)
    held = ctypes.create_string_buffer(program, len(program))
    value = struct.pack("HP", len(_SYN_IS_DROPPED), ctypes.addressof(held))
    # If filters are not allowed, connections of the last moment are lost, and nothing else.
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, value)
