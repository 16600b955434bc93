"""How a listening socket is given up without a connection lost: what waits is accepted, nothing is added.

Closing it resets all that wait. So new connections are kept out first, then those that wait are given time to
be accepted, and then it is closed; from there on clients are refused, and ask another server.
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

EMPTY_S = 0.02
"""For how long nothing has to have waited; handshakes under way end meanwhile, in a network of one site."""

MAX_DRAIN_S = 0.5
"""Workers that stand still take nothing, however long one waits."""

_SLICE_S = 0.002

_SO_ATTACH_FILTER = 26
_FLAGS_BYTE, _SYN = 13, 0x02
_LOAD_BYTE, _JUMP_IF_SET, _RETURN = 0x30, 0x45, 0x06
_DROP, _WHOLE = 0, 0xFFFFFFFF
_SYN_IS_DROPPED = (
    # Of a classic BPF program (code, jump if true, jump if false, operand), which sees the TCP header.
    (_LOAD_BYTE, 0, 0, _FLAGS_BYTE),
    (_JUMP_IF_SET, 0, 1, _SYN),
    (_RETURN, 0, 0, _DROP),
    (_RETURN, 0, 0, _WHOLE),
)

_WAITING = struct.Struct("24xI")
"""`tcpi_unacked` of the system's `tcp_info`: of a socket that listens, how many connections wait in it."""


def drain(sockets: Sequence[socket.socket]) -> None:
    """Let nothing more into listening sockets, and wait until what is in them was accepted.

    A client that is kept out tries again after a second, as for any packet that was lost.
    """
    if not sys.platform.startswith("linux"):
        return
    for each in sockets:
        _keep_out(each)
    end_s = time.monotonic() + MAX_DRAIN_S
    empty_since_s = time.monotonic()
    while (now_s := time.monotonic()) < min(end_s, empty_since_s + EMPTY_S):
        if any(waiting(each) for each in sockets):
            empty_since_s = now_s
        time.sleep(_SLICE_S)


def waiting(listener: socket.socket) -> int:
    """Return how many connections of a listening socket nobody has accepted yet."""
    found = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _WAITING.size)
    count: int = _WAITING.unpack(found)[0]
    return count


def let_go(descriptor: int) -> None:
    """Have a process accept nothing more by a descriptor that somebody else in it goes on to use.

    What waits in the socket stays for those who have it, too. The descriptor becomes that of a socket to
    which nobody can connect, so whoever accepts by it finds nothing.

    Raises:
        OSError: There is none to be had, and all is as before.
    """
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        deaf.setblocking(False)
        _keep_out(deaf)
        os.dup2(deaf.fileno(), descriptor, inheritable=False)


def _keep_out(listener: socket.socket) -> None:
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in _SYN_IS_DROPPED)
    held = ctypes.create_string_buffer(program, len(program))
    value = struct.pack("HP", len(_SYN_IS_DROPPED), ctypes.addressof(held))
    # Where filters are not allowed, what comes in the last moment is lost, and nothing else.
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, value)
