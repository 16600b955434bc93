"""A listening socket that is given up: what waits in it is answered, what comes later is not taken."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from choirbook.servers.granian.drain import MAX_DRAIN_S, drain, stop_accepting
from choirbook.servers.granian.sockets import pending_connections
from tests.support.servers import wait_for

SO_ATTACH_FILTER = 26
"""See socket(7)."""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def connect(listener: socket.socket) -> socket.socket:
    return socket.create_connection(listener.getsockname(), timeout=0.3)


def test_connections_that_wait_are_counted(listener: socket.socket) -> None:
    assert pending_connections(listener) == 0
    with connect(listener), connect(listener):
        wait_for(lambda: pending_connections(listener) == 2, "both wait")
        listener.accept()[0].close()
        assert pending_connections(listener) == 1


def may_filter() -> bool:
    """Tell whether the system lets this user attach a filter to a socket; some let none but root."""
    everything = struct.pack("HBBI", 0x06, 0, 0, 0xFFFFFFFF)
    held = ctypes.create_string_buffer(everything, len(everything))
    with socket.socket() as tried:
        try:
            tried.setsockopt(
                socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(held))
            )
        except OSError:
            return False
    return True


def is_let_in(listener: socket.socket) -> bool:
    try:
        connect(listener).close()
    except TimeoutError:
        return False
    return True


def test_drained_socket_resets_nobody_and_lets_nobody_in_where_filters_are_allowed(
    listener: socket.socket,
) -> None:
    with connect(listener) as before:
        drain([listener])
        # Clients that a filter keeps out try again by themselves; without one they wait in the socket.
        assert is_let_in(listener) != may_filter()
        accepted, _ = listener.accept()
        with accepted:
            before.sendall(b"asked")
            assert accepted.recv(5) == b"asked"
            accepted.sendall(b"answered")
            assert before.recv(8) == b"answered"


def test_drain_waits_until_what_waits_was_accepted(listener: socket.socket) -> None:
    with connect(listener), connect(listener), ThreadPoolExecutor(1) as pool:
        done = pool.submit(drain, [listener])
        for _ in range(2):
            assert not done.done()
            listener.accept()[0].close()
        done.result(timeout=MAX_DRAIN_S + 5)
        assert pending_connections(listener) == 0


def test_drain_ends_though_nobody_accepts(listener: socket.socket) -> None:
    with connect(listener):
        thread = threading.Thread(target=drain, args=([listener],))
        thread.start()
        thread.join(MAX_DRAIN_S + 5)
        assert not thread.is_alive()
        assert pending_connections(listener) == 1


def test_descriptor_that_was_let_go_accepts_nothing_and_leaves_the_socket_to_others(
    listener: socket.socket,
) -> None:
    with socket.socket(fileno=os.dup(listener.fileno())) as of_a_worker:
        stop_accepting(of_a_worker.fileno())
        with connect(listener):
            wait_for(lambda: pending_connections(listener) == 1, "it waits")
            with pytest.raises(BlockingIOError):
                of_a_worker.accept()
            listener.accept()[0].close()


def test_socket_is_closed_with_its_last_holder(listener: socket.socket) -> None:
    address = listener.getsockname()
    with socket.socket(fileno=os.dup(listener.fileno())) as of_a_worker:
        stop_accepting(of_a_worker.fileno())
        listener.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
