"""Promise 18: one peer cannot exhaust what is meant for everyone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults.conftest import NAMES, Serve
from tests.faults.documents import uri_of
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.greed import (
    PEERS,
    converse,
    get,
    greedy,
    half_a_body,
    half_a_header,
    health_ms,
    initialize,
    listen,
    post,
)
from tests.faults.load import describe, loading
from tests.faults.processes import memory_bytes
from tests.servers.metrics import metrics, total
from tests.support.servers import Server, message, wait_for
from tests.support.trees import plant

MIB = 1024 * 1024
SECONDS = 10.0 if IS_WHOLE else 1.0
WINDOWS = 3
"""The middle one counts: what else the machine does only ever adds to some."""
STREAMS, SESSIONS = 200, 200
MAX_CONNECTIONS = STREAMS + 2048
P95_MS = 100.0
HEALTH_MS = 2000.0
"""Maximum time of the slowest answer: a connection that came while all places were taken waits for a look or
two."""
CALM_MS = 50.0
CHECK_EVERY_S = 0.1
PATHS = ("/healthz", "/readyz", "/metrics")

LARGE = "/mcp/resources/files/large.txt?format=raw"
LARGE_BYTES = 7 * MIB
"""More than the system takes of an answer that nobody reads."""


class Greed(NamedTuple):
    """Behaviour of greedy peers."""

    request: Callable[[], bytes]
    each: int
    """Connections that each peer opens."""
    share: str
    """Kind of share over which it is refused."""
    memory_bytes: int
    """By which the worker may grow."""


KINDS = {
    "idle connections": Greed(lambda: b"", MAX_CONNECTIONS * 3 // 5, "connections", 96 * MIB),
    "headers that do not end": Greed(half_a_header, MAX_CONNECTIONS * 3 // 5, "connections", 96 * MIB),
    "bodies that do not come": Greed(half_a_body, MAX_CONNECTIONS * 3 // 5, "connections", 96 * MIB),
    "streams": Greed(lambda: listen([uri_of(name) for name in NAMES]), STREAMS, "streams", 64 * MIB),
    # Of each peer 32 connections may have an answer that is not read, and each answer is one document.
    "answers that are not read": Greed(lambda: get(LARGE), 36, "unread", (2 * 36 * 8 + 128) * MIB),
}


@contextmanager
def served(serve: Serve) -> Iterator[Server]:
    with serve(CHOIRBOOK_MAX_STREAMS=str(STREAMS), CHOIRBOOK_MAX_SESSIONS=str(SESSIONS)) as server:
        yield server


def watch(server: Server, pid: int, seconds: float) -> tuple[list[float], int]:
    """Ask for the server's state again and again; return what each answer took, and the most memory."""
    end_s, taken_ms, most = time.monotonic() + seconds, list[float](), 0
    for path in cycle(PATHS):
        if time.monotonic() > end_s:
            return taken_ms, most
        taken_ms.append(health_ms(server.port, path))
        most = max(most, memory_bytes(pid))
        time.sleep(CHECK_EVERY_S)
    raise AssertionError("paths repeat without end")


def is_calm(server: Server) -> bool:
    """Tell whether a server answers at once, several times."""
    return all(health_ms(server.port, "/healthz") < CALM_MS for _ in range(10))


LONG = ("headers that do not end", "bodies that do not come", "streams")
"""Only in the full set. The first two take connections, as idle ones do; streams are shared like sessions."""


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.long if kind in LONG else ()) for kind in KINDS]
)
def test_greedy_peers_leave_the_others_their_part(
    serve: Serve, root: Path, kind: str, figures: Figures
) -> None:
    greed = KINDS[kind]
    plant(root, {"large.txt": b"x" * LARGE_BYTES})
    with served(serve) as server, loading(server.port, NAMES, rate_per_s=100, connections=20) as load:
        (pid,) = server.workers()
        load.spend(SECONDS, "alone")
        before = memory_bytes(pid)
        load.window("arriving")
        with greedy(server.port, greed.request(), greed.each):
            # That thousands of connections come at once is work, whoever's they are; see promise 10.
            wait_for(lambda: _refused(server, greed.share) > 0, "a peer is refused")
            wait_for(lambda: is_calm(server), "what came at once is worked off")
            taken_ms, most = list[float](), 0
            for number in range(WINDOWS):
                load.window(f"beside {number}")
                taken, held = watch(server, pid, SECONDS)
                taken_ms, most = taken_ms + taken, max(most, held)
            modest = converse(server.port, [initialize()], "127.0.0.4")
        summary = load.finish()

    fault = f"two peers that hold {kind}"
    windows = summary.windows
    beside_ms = sorted(windows[f"beside {number}"]["p95"] for number in range(WINDOWS))[WINDOWS // 2]
    figures.hold(
        18, fault, "failed reads of the others", summary.count(), "reads", at_most=0, why=describe(summary)
    )
    figures.tell(18, fault, "p95 of the others without them", windows["alone"]["p95"], "ms")
    figures.tell(
        18, fault, "p95 of the others while they come, all at once", windows["arriving"]["p95"], "ms"
    )
    figures.hold(18, fault, "p95 of the others", beside_ms, "ms", at_most=P95_MS)
    figures.hold(
        18, fault, "slowest answer of /healthz, /readyz, /metrics", max(taken_ms), "ms", at_most=HEALTH_MS
    )
    grown = (most - before) / MIB
    figures.hold(18, fault, "growth of the worker", grown, "MiB", at_most=greed.memory_bytes / MIB)
    assert modest[0].startswith(b"HTTP/1.1 200"), modest


def test_greedy_peers_leave_the_others_their_sessions(serve: Serve, figures: Figures) -> None:
    """28,800 subscriptions to invented sections once took 134 MB, and sessions of others ended."""
    uri, section = uri_of(NAMES[0]), "x" * 1800
    with served(serve) as server:
        (pid,) = server.workers()
        (answer,) = converse(server.port, [initialize()], "127.0.0.4")
        modest = _session_of(answer)
        before = memory_bytes(pid)
        for address in PEERS:
            begun = converse(server.port, [initialize()] * SESSIONS, address)
            sessions = [_session_of(each) for each in begun]
            for session in sessions[-SESSIONS // 8 :]:
                wanted = [
                    _in_session(session, "resources/subscribe", uri=f"{uri}?section={number}{section}")
                    for number in range(150)
                ]
                converse(server.port, wanted, address)
        taken_ms, most = watch(server, pid, 1.0)
        (ping,) = converse(server.port, [_in_session(modest, "ping")], "127.0.0.4")
        (kept,) = converse(server.port, [_in_session(modest, "resources/subscribe", uri=uri)], "127.0.0.4")

    fault = "two peers that begin sessions and subscribe to invented sections"
    lost = sum(not each.startswith(b"HTTP/1.1 200") for each in (ping, kept))
    figures.hold(18, fault, "sessions of others that ended", lost, "sessions", at_most=0)
    figures.hold(
        18, fault, "slowest answer of /healthz, /readyz, /metrics", max(taken_ms), "ms", at_most=HEALTH_MS
    )
    figures.hold(18, fault, "growth of the worker", (most - before) / MIB, "MiB", at_most=32)
    assert b'"result":{}' in kept


def _refused(server: Server, share: str) -> float:
    with server.client() as client:
        return total(metrics(client), "choirbook_share_refusals_total", share=share)


def _session_of(answer: bytes) -> str:
    lines = answer.partition(b"\r\n\r\n")[0].splitlines()
    return next(line[16:].decode() for line in lines if line.lower().startswith(b"mcp-session-id: "))


def _in_session(session: str, method: str, **params: str) -> bytes:
    return post(
        message("handshake", method, **params), mcp_session_id=session, mcp_protocol_version="2025-11-25"
    )
