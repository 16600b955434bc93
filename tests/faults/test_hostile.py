"""Promise 12: nothing that a client sends causes a 5xx, a hang or a worker's end; others do not notice."""

from __future__ import annotations

import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.faults.conftest import NAMES, Serve
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.judging import FORMS
from tests.faults.load import describe, loading, request_bytes
from tests.servers.metrics import metrics, total
from tests.support.servers import Server

REQUESTS = 50_000 if IS_WHOLE else 3000
HEADER_DEADLINE_S = 10.0
"""After which the server gives up on a head that does not end."""
HANG_S = 2 * HEADER_DEADLINE_S
_INSERTS = (
    b"\x00",
    b"\r\n",
    b"%00",
    b"%",
    b"../",
    b"\xff",
    b'"',
    b"{",
    b"[" * 200,
    b"A" * 5000,
    b"-1",
    b"\\u0000",
)


def mutated(seed: int) -> bytes:
    """Return a good request, spoilt in a few places."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    form = chance.choice(FORMS)
    data = bytearray(request_bytes(form, chance.choice(NAMES), '"a"', close=chance.random() < 0.5))
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(max(1, len(data) - 1))
        match chance.randrange(5):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at : at + chance.randint(1, 20)]
            case 2:
                data[at:at] = chance.choice(_INSERTS)
            case 3:
                data[at:at] = data[at : at + chance.randint(1, 100)]
            case _:
                data = data[: max(1, at)]
    return bytes(data)


def send(port: int, seed: int) -> tuple[float, bytes]:
    """Send a spoilt request, say that no more will come, and return how long that took and what came."""
    begun_s = time.monotonic()
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=HANG_S) as connection:
        try:
            connection.sendall(mutated(seed))
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                received += part
        except TimeoutError:
            raise
        except OSError:
            pass  # it was reset, or is no longer connected
    return time.monotonic() - begun_s, received


def server_errors(server: Server) -> float:
    with server.client() as client:
        return total(metrics(client), "choirbook_http_responses_total", status="5xx")


def test_spoilt_requests_harm_nobody(serve: Serve, figures: Figures) -> None:
    with serve(workers=2) as server, loading(server.port, NAMES, rate_per_s=50) as load:
        workers = server.workers()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(partial(send, server.port), range(REQUESTS)))
        summary, errors = load.finish(), server_errors(server)
        survived = server.workers()

    answered = [received for _, received in answers if received]
    assert len(answered) > REQUESTS // 10, "most of them are refused by an answer"
    failed = sum(received.startswith(b"HTTP/1.1 5") for received in answered)
    fault = f"{REQUESTS:,} requests spoilt at random"
    figures.hold(12, fault, "answers of class 5xx", max(failed, errors), "answers", at_most=0)
    figures.hold(12, fault, "workers that ended", len(set(workers) - set(survived)), "workers", at_most=0)
    figures.hold(
        12, fault, "longest until an answer or the end", max(s for s, _ in answers), "s", at_most=HANG_S
    )
    figures.hold(
        12, fault, "failed reads of others", summary.count(), "reads", at_most=0, why=describe(summary)
    )
    assert "Traceback" not in server.stderr
