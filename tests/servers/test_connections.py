"""Find connections by the kernel and among descriptors, also where the kernel or the process refuses."""

from __future__ import annotations

import fcntl
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from choirbook.servers.connections import ConnectionEnds, Connections
from choirbook.servers.descriptors import Descriptor, cut, read_acked

WILDCARD = "0.0.0.0"  # noqa: S104 - as in a container


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def connections(stack: ExitStack) -> Connections:
    made = Connections()
    stack.callback(made.close)
    return made


def listen(stack: ExitStack, host: str = "127.0.0.1") -> socket.socket:
    return stack.enter_context(socket.create_server((host, 0)))


def connect(stack: ExitStack, listener: socket.socket, server_host: str = "127.0.0.1") -> ConnectionEnds:
    """Connect a client, and return both ends of the connection."""
    port = listener.getsockname()[1]
    client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    stack.enter_context(listener.accept()[0])
    return ConnectionEnds(client.getsockname()[:2], (server_host, port))


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_kernel_that_refuses_is_not_asked_again(
    connections: Connections, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = connect(stack, listen(stack))
    with monkeypatch.context() as patch:
        patch.delattr(socket, "AF_NETLINK")  # as in a sandbox, or on another system
        assert connections.recognize(ends) is None
    assert connections.recognize(ends) is None
    found = connections.search([ends])[ends]
    assert found.read_acked() == 0


def test_kernel_is_asked_again_once_there_are_descriptors(connections: Connections, stack: ExitStack) -> None:
    ends = connect(stack, listen(stack))
    with no_descriptor_left():
        assert connections.recognize(ends) is None
    found = connections.recognize(ends)
    assert found is not None
    assert found.read_acked() == 0


def test_address_that_a_search_found_is_tried_at_once_for_the_next_client(
    connections: Connections, stack: ExitStack
) -> None:
    listener = listen(stack, WILDCARD)
    first, second = (connect(stack, listener, WILDCARD) for _ in range(2))
    assert connections.recognize(first) is None
    assert list(connections.search([first])) == [first]
    known = connections.recognize(second)
    assert known is not None
    assert known.inode == connections.search([second])[second].inode


@pytest.mark.parametrize("host", [WILDCARD, "::"])
def test_socket_that_listens_is_never_taken_for_a_clients_connection(
    connections: Connections, stack: ExitStack, host: str
) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = stack.enter_context(socket.create_server((host, 0), family=family))
    here, port = "::1" if ":" in host else "127.0.0.1", listener.getsockname()[1]
    client = stack.enter_context(socket.create_connection((here, port)))
    accepted = stack.enter_context(listener.accept()[0])
    ends = ConnectionEnds(client.getsockname()[:2], (host, port))
    for each in (connections.recognize(ends), connections.search([ends])[ends], connections.recognize(ends)):
        assert each is None or each.inode == os.fstat(accepted.fileno()).st_ino
    assert connections.recognize(ConnectionEnds((here, 1), (host, port))) is None


def test_search_returns_only_the_connections_that_there_are(
    connections: Connections, stack: ExitStack
) -> None:
    one, other = listen(stack), listen(stack)
    wanted = [connect(stack, one), connect(stack, other)]
    strangers = [
        ConnectionEnds(("192.0.2.1", 1), wanted[0].server),
        ConnectionEnds(wanted[0].peer, wanted[1].server),
    ]
    for each in (connections, Connections(ask_kernel=False)):
        found = each.search([*wanted, strangers[0]])
        assert set(found) == set(wanted)
        assert found[wanted[0]].inode != found[wanted[1]].inode
    assert set(connections.search([*wanted, *strangers])) == set(wanted)


_TRY_LOCK = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(9)
"""


def test_cut_of_a_number_that_is_another_file_by_now_leaves_its_locks(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with path.open("w+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        stale = Descriptor(file.fileno(), os.fstat(file.fileno()).st_ino + 1)
        assert read_acked(stale) is None
        # A duplicate that is closed would drop them (fcntl(2)).
        cut(stale)
        tried = subprocess.run([sys.executable, "-c", _TRY_LOCK, str(path)], check=False)
        assert tried.returncode == 9


def test_cut_shuts_down_the_socket_that_was_found(stack: ExitStack) -> None:
    listener = listen(stack)
    client = stack.enter_context(socket.create_connection(listener.getsockname()))
    accepted = stack.enter_context(listener.accept()[0])
    inode = os.fstat(accepted.fileno()).st_ino
    cut(Descriptor(accepted.fileno(), inode + 1))
    accepted.sendall(b"x")
    client.settimeout(10)
    assert client.recv(10) == b"x"
    cut(Descriptor(accepted.fileno(), inode))
    assert client.recv(10) == b""


def test_cut_leaves_a_socket_that_listens(stack: ExitStack) -> None:
    listener = listen(stack)
    cut(Descriptor(listener.fileno(), os.fstat(listener.fileno()).st_ino))
    connect(stack, listener)


def test_cut_without_a_descriptor_to_spare_leaves_the_connection(stack: ExitStack) -> None:
    listener = listen(stack)
    client = stack.enter_context(socket.create_connection(listener.getsockname()))
    accepted = stack.enter_context(listener.accept()[0])
    found = Descriptor(accepted.fileno(), os.fstat(accepted.fileno()).st_ino)
    with no_descriptor_left():
        cut(found)
    accepted.sendall(b"x")
    client.settimeout(10)
    assert client.recv(10) == b"x"
