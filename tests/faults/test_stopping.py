"""Promise 8: a server that stops, or renews its workers, fails no request."""

from __future__ import annotations

import signal
import time
from functools import partial
from pathlib import Path

from tests.faults.conftest import NAMES, Serve
from tests.faults.documents import compose
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.load import Summary, describe, loading
from tests.support import trees
from tests.support.servers import Server, wait_for

PROMISED_S = 10.0
ROLLS = 10 if IS_WHOLE else 1
STOPS = 24 if IS_WHOLE else 2
RATE_PER_S = 700.0
"""So many that some connections come in the very moment of the stop."""


def stop_under_load(server: Server, **options: bool) -> tuple[Summary, float, float]:
    """End a server under load, and return what came of it, when it was told, and how long it took."""
    with loading(server.port, NAMES, rate_per_s=RATE_PER_S, **options) as load:
        begun_s = time.monotonic()
        wait_for(lambda: time.monotonic() > begun_s + 1.0, "the load is under way")
        told_s = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(2 * PROMISED_S) == 0
        taken_s = time.monotonic() - told_s
        return load.finish(), told_s, taken_s


def test_stop_fails_no_request_on_connections_that_are_there(serve: Serve, figures: Figures) -> None:
    with serve(workers=2) as server:
        summary, told_s, taken_s = stop_under_load(server, resend=True)

    fault = "SIGTERM, connections kept alive"
    # Nobody listens any more: a balancer asks another server.
    failed = summary.count() - summary.count("refused")
    assert all(each.asked_s >= told_s for each in summary.failed if each.kind == "refused"), describe(summary)
    figures.hold(8, fault, "failed requests", failed, "requests", at_most=0, why=describe(summary))
    figures.tell(8, fault, "sent again, as they met the end of their connection", summary.resent, "requests")
    figures.hold(8, fault, "until the server was gone", taken_s, "s", at_most=PROMISED_S)
    assert "Traceback" not in server.stderr


def test_stop_answers_every_connection_that_it_accepted(serve: Serve, figures: Figures) -> None:
    summaries: list[Summary] = []
    longest_s = 0.0
    for _ in range(STOPS):
        with serve(workers=2) as server:
            summary, told_s, taken_s = stop_under_load(server, fresh=True)
        assert all(each.ended_s >= told_s for each in summary.failed), describe(summary)
        summaries.append(summary)
        longest_s = max(longest_s, taken_s)

    fault = "SIGTERM, a connection for each request"
    accepted = sum(each.requests - each.count("refused") for each in summaries)
    failed = sum(each.count() - each.count("refused") for each in summaries)
    why = "; ".join(map(describe, summaries))
    figures.tell(8, fault, "stops", STOPS, "stops")
    measure = f"closed unanswered, of {accepted} that were accepted"
    figures.hold(8, fault, measure, failed, "requests", at_most=0, why=why)
    figures.hold(8, fault, "until the server was gone", longest_s, "s", at_most=PROMISED_S)


def is_renewed(server: Server, before: set[int]) -> bool:
    now = server.workers()
    return len(now) == len(before) and not before & set(now)


def test_rolling_restart_fails_no_request(serve: Serve, root: Path, figures: Figures) -> None:
    with (
        serve(workers=2) as server,
        loading(server.port, NAMES, rate_per_s=150, resend=True) as kept_alive,
        loading(server.port, NAMES, rate_per_s=50, fresh=True) as fresh,
    ):
        # The parent's catalog is of before: new workers have to find out by themselves.
        trees.replace(root / "ash.md", compose("ash", 2))
        for _ in range(ROLLS):
            before = set(server.workers())
            server.process.send_signal(signal.SIGHUP)
            wait_for(partial(is_renewed, server, before), "all workers are renewed")
        old, new = kept_alive.finish(), fresh.finish()

    fault = "SIGHUP: workers renewed one after the other"
    failed = old.count() + new.count()
    why = f"{describe(old)}; {describe(new)}"
    figures.hold(8, fault, "failed requests", failed, "requests", at_most=0, why=why)
    figures.tell(8, fault, "verified requests", old.requests + new.requests, "requests")
    figures.tell(8, fault, "sent again, as they met the end of their connection", old.resent, "requests")
    figures.tell(8, fault, "longest wait", max(old.latency_ms["max"], new.latency_ms["max"]), "ms")
    assert {1, 2} >= set(new.sightings["ash"]) >= {2}
    (line,) = [line for line in server.stderr.splitlines() if '"event":"read"' not in line]
    assert '"message":"Stopped."' in line
