"""Promise 15: whoever takes the logs or the metrics too slowly, or not at all, touches no request."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.conftest import NAMES, Serve
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.load import describe, loading
from tests.faults.pipelining import ask, get
from tests.servers.metrics import metrics, total
from tests.support.servers import RawConnection, wait_for

SECONDS = 60.0 if IS_WHOLE else 3.0
DROPPED = "choirbook_access_log_dropped_lines_total"
LONG = "x" * 200
"""A name that makes lines long, so that the buffer is full soon."""


@pytest.fixture
def unread(tmp_path: Path) -> Iterator[Path]:
    """Return a pipe that is open and that nobody reads."""
    path = tmp_path / "unread"
    os.mkfifo(path)
    held = os.open(path, os.O_RDWR)
    yield path
    os.close(held)


def test_log_that_nobody_reads_touches_no_request(serve: Serve, unread: Path, figures: Figures) -> None:
    wrapper = ("sh", "-c", f'exec "$@" 2>"{unread}"', "sh")
    with serve(wrapper=wrapper) as server, server.client() as client:
        with loading(server.port, NAMES, rate_per_s=100) as load:
            end_s = time.monotonic() + SECONDS
            requests = [get(f"/mcp/resources/{LONG}/{LONG}/{LONG}/{LONG}")] * 2000
            wait_for(
                lambda: ask(server.port, requests)[404] and total(metrics(client), DROPPED) > 0,
                "lines are dropped",
            )
            wait_for(lambda: time.monotonic() > end_s, "the load has run", SECONDS + 10)
            summary = load.finish()
        dropped = total(metrics(client), DROPPED)
        told_s = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)
        ending_s = time.monotonic() - told_s

    fault = "stderr is a pipe that nobody reads"
    figures.hold(15, fault, "failed reads", summary.count(), "reads", at_most=0, why=describe(summary))
    figures.tell(15, fault, "lines dropped, and counted", dropped, "lines")
    figures.hold(8, fault, "until the server was gone after SIGTERM", ending_s, "s", at_most=10.0)


def test_scrapers_that_do_not_read_touch_no_request(serve: Serve, figures: Figures) -> None:
    with serve() as server, loading(server.port, NAMES, rate_per_s=100) as load, ExitStack() as scrapers:
        for _ in range(50):
            scraper = scrapers.enter_context(RawConnection(server.port))
            scraper.send(get("/metrics") * 40)
        end_s = time.monotonic() + SECONDS
        wait_for(lambda: time.monotonic() > end_s, "the load has run", SECONDS + 10)
        summary = load.finish()

    fault = "50 scrapers that ask 40 times and do not read"
    figures.hold(15, fault, "failed reads", summary.count(), "reads", at_most=0, why=describe(summary))
    figures.tell(15, fault, "p95 of the others", summary.latency_ms["p95"], "ms")
