"""Cost of passing a response to Granian, measured in its worker, since only there is a real protocol.

CPU time of the worker's thread, as wall-clock time depends on how busy the client makes the machine.

Run as `python -m choirbook.bench.send_cost PORT BYTES`; `send_samples_us` does so, and queries it.
"""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from time import thread_time_ns
from typing import TYPE_CHECKING

import msgspec

from choirbook.errors import ChoirbookError
from choirbook.servers.granian import server as granian_server
from choirbook.servers.granian.sockets import listen

if TYPE_CHECKING:
    from choirbook.servers.rsgi.server import RsgiProtocol, RsgiScope

START_DEADLINE_S = 20.0
_TIMES = "/times"


class Probe:
    """RSGI app that sends ready bytes, and records the cost of each call.

    Args:
        body: Body to send.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._headers = [("content-type", "text/markdown; charset=utf-8")]
        self._taken_ns: list[int] = []

    async def __rsgi__(self, scope: RsgiScope, protocol: RsgiProtocol) -> None:
        """Answer one request."""
        if scope.path == _TIMES:
            protocol.response_bytes(200, [], msgspec.json.encode(self._taken_ns))
            return
        start_ns = thread_time_ns()
        protocol.response_bytes(200, self._headers, self._body)
        self._taken_ns.append(thread_time_ns() - start_ns)


def send_samples_us(requests: int, body_bytes: int) -> list[float]:
    """Return the CPU time of each of `requests` sends, in microseconds.

    Raises:
        ChoirbookError: The server did not start.
    """
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
    command = [sys.executable, "-P", "-m", "choirbook.bench.send_cost", str(port), str(body_bytes)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        connection = _connect(port, process)
        for _ in range(requests):
            _get(connection, "/")
        taken_ns = msgspec.json.decode(_get(connection, _TIMES), type=list[int])
        connection.close()
    finally:
        process.terminate()
        process.wait()
    return [ns / 1000 for ns in taken_ns]


def _connect(port: int, process: subprocess.Popen[bytes]) -> http.client.HTTPConnection:
    deadline_s = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline_s and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.connect()
        except OSError:
            time.sleep(0.02)
            continue
        return connection
    raise ChoirbookError("The server that measures sending did not start. Run 'choirbook stages' again.")


def _get(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    return connection.getresponse().read()


def _serve(port: int, body_bytes: int) -> None:
    probe = Probe(b"x" * body_bytes)
    granian_server.run(
        granian_server.make_server("probe", listen("127.0.0.1", port, 1)), lambda: probe.__rsgi__
    )


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
