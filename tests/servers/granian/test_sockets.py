import socket

import pytest

from choirbook.servers.granian.sockets import GRACE_S, listen, port_of


@pytest.mark.parametrize(
    ("stall_s", "wanted_ms"), [(None, 0), (2.0, 2000 + GRACE_S * 1000), (1e9, 2**31 - 1)]
)
def test_connections_inherit_how_long_their_client_may_take_nothing(
    stall_s: float | None, wanted_ms: float
) -> None:
    (listener,) = listen("127.0.0.1", 0, 1, stall_s=stall_s)
    listener.setblocking(True)  # noqa: FBT003 - its only argument
    with listener, socket.create_connection(("127.0.0.1", port_of([listener]))):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == wanted_ms
