"""Promise 10: clients that take their time cost the others nothing, and are given up."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import pytest

from choirbook.servers.granian.server import HEADER_READ_TIMEOUT_MS
from choirbook.servers.granian.sockets import GRACE_S
from tests.faults.conftest import NAMES, Serve
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.load import describe, loading
from tests.faults.slowness import (
    Slowness,
    connect,
    is_held,
    slow_bodies,
    slow_clients,
    slow_headers,
    slow_readers,
)
from tests.support.servers import wait_for
from tests.support.trees import plant

CLIENTS = 500
SECONDS = 10.0 if IS_WHOLE else 1.5
"""Duration of one window, in seconds."""
ARRIVING_S = 0.5
PAIRS = 6 if IS_WHOLE else 4
WORSE = 1.1
ALLOWED_MS = 2.0
"""Between two windows of one load, p95 differs by that much on a machine that does other things too."""

LONG = "/mcp/resources/files/long.txt?format=raw"
LONG_BYTES = 256 * 1024
LARGE = "/mcp/resources/files/large.txt?format=raw"
LARGE_BYTES = 7 * 1024 * 1024
"""More than the system takes of an answer that nobody reads."""

LIMIT_S = 1.0
SWEEPS_S = 3.0
"""Maximum delay, in seconds, with which a body is aborted on a busy machine."""

REQUESTS = ("headers", "bodies")
KINDS: dict[str, Callable[[], Slowness]] = {
    "headers": slow_headers,
    "bodies": slow_bodies,
    "readers": lambda: slow_readers(LONG),
}


@pytest.fixture
def long_root(root: Path) -> Path:
    return plant(root, {"long.txt": b"x" * LONG_BYTES, "large.txt": b"x" * LARGE_BYTES})


@pytest.mark.usefixtures("long_root")
# Slow readers hold the most: an answer each. The full set has the others.
@pytest.mark.parametrize(
    "kind", [*(pytest.param(kind, marks=pytest.mark.long) for kind in REQUESTS), "readers"]
)
def test_slow_clients_cost_the_others_nothing(serve: Serve, kind: str, figures: Figures) -> None:
    with serve() as server, loading(server.port, NAMES, rate_per_s=200, connections=50) as load:
        load.spend(1.0)
        # In turns, so that what else the machine does meets both.
        for number in range(PAIRS):
            load.spend(SECONDS, f"alone {number}")
            load.window("arriving")
            with slow_clients(server.port, KINDS[kind](), CLIENTS):
                # That so many come at once, and ask for much, is another matter than that they are slow.
                load.spend(ARRIVING_S, "arriving")
                load.spend(SECONDS, f"beside {number}")
        summary = load.finish()

    def p95_ms(where: str) -> float:
        # What else the machine does only ever adds to some windows; slow clients are there in all of theirs.
        each = sorted(summary.windows[f"{where} {number}"]["p95"] for number in range(PAIRS))
        return fmean(each[: PAIRS // 2])

    fault = f"{CLIENTS} clients with slow {kind}"
    alone_ms, beside_ms = p95_ms("alone"), p95_ms("beside")
    figures.hold(10, fault, "failed reads", summary.count(), "reads", at_most=0, why=describe(summary))
    arriving_ms = summary.windows["arriving"]["p95"]
    figures.tell(10, fault, "p95 of the others while they come, all at once", arriving_ms, "ms")
    figures.tell(10, fault, "p95 of the others without them", alone_ms, "ms")
    at_most = WORSE * alone_ms + ALLOWED_MS
    figures.hold(10, fault, "p95 of the others", beside_ms, "ms", at_most=at_most, why=str(summary.windows))


GIVEN_UP: dict[str, tuple[Callable[[], Slowness], float]] = {
    "a header that does not end": (slow_headers, HEADER_READ_TIMEOUT_MS / 1000),
    "a body that does not come": (slow_bodies, LIMIT_S),
    "an answer that nobody takes": (lambda: slow_readers(LARGE), LIMIT_S + GRACE_S),
}


@pytest.mark.usefixtures("long_root")
@pytest.mark.parametrize("what", GIVEN_UP)
def test_what_takes_too_long_is_given_up(serve: Serve, what: str, figures: Figures) -> None:
    slowness, limit_s = GIVEN_UP[what]
    limits = {"CHOIRBOOK_BODY_TIMEOUT_S": str(LIMIT_S), "CHOIRBOOK_STALL_S": str(LIMIT_S)}
    with serve(**limits) as server, connect(server.port) as client:
        begun_s = time.monotonic()
        client.sendall(slowness().request)
        wait_for(lambda: is_held(server.port, client), "it is connected")
        wait_for(lambda: not is_held(server.port, client), "it is given up")
        taken_s = time.monotonic() - begun_s

    at_most = limit_s + SWEEPS_S
    figures.hold(10, what, f"until it was given up, after {limit_s:g} s", taken_s, "s", at_most=at_most)
    assert taken_s >= limit_s - 0.5
