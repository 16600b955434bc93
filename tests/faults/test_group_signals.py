"""Promise 8, by signals that reach every process of a server: Ctrl+C in a terminal, a stop by systemd."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack
from functools import partial

import pytest

from tests.faults.conftest import NAMES, Serve
from tests.faults.documents import path_of
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.load import Summary, describe, loading
from tests.faults.processes import exists
from tests.support.servers import RawConnection, Server, message, wait_for
from tests.support.streams import listening

PROMISED_S = 10.0
FORCED_S = 3.0
ROUNDS = 6 if IS_WHOLE else 1
OWN_GROUP = ("setsid",)
"""Runs a server in a process group of its own, which it leads."""

BODY = json.dumps(message("handshake", "ping")).encode()


def to_all(server: Server, number: int) -> None:
    os.killpg(server.process.pid, number)


def is_past(moment_s: float) -> bool:
    return time.monotonic() > moment_s


def begin_request(connection: RawConnection) -> None:
    """Send a request up to the middle of its body, and wait until the server has begun with it."""
    lines = ["POST /mcp HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    lines += ["Expect: 100-continue", f"Content-Length: {len(BODY)}", "", ""]
    connection.send("\r\n".join(lines).encode())
    assert connection.receive(has_body=False).status == 100
    connection.send(BODY[:10])


def refuses(server: Server) -> bool:
    try:
        RawConnection(server.port).__exit__()
    except ConnectionRefusedError:
        return True
    return False


def said(server: Server) -> list[str]:
    """Return what the server told besides reads."""
    lines = [json.loads(line) for line in server.stderr.splitlines()]
    return [line["message"] for line in lines if line.get("event") != "read"]


def stop_all_under_load(serve: Serve, number: int, workers: int) -> tuple[Summary, Summary, float]:
    """Signal every process of a server under load, with a slow request and a stream open."""
    with ExitStack() as stack:
        server = stack.enter_context(serve(workers=workers, wrapper=OWN_GROUP))
        client = stack.enter_context(server.client())
        stream = stack.enter_context(listening(client, resourcesListChanged=True))
        stream.next()
        slow = stack.enter_context(RawConnection(server.port))
        begin_request(slow)
        kept_alive = stack.enter_context(loading(server.port, NAMES, rate_per_s=150, resend=True))
        fresh = stack.enter_context(loading(server.port, NAMES, rate_per_s=300, fresh=True))
        begun_s = time.monotonic()
        wait_for(partial(is_past, begun_s + 1.0), "the load is under way")
        told_s = time.monotonic()
        to_all(server, number)
        wait_for(lambda: refuses(server), "nothing new is taken")
        slow.send(BODY[10:])
        assert slow.receive().json()["result"] == {}
        stream.rest()  # raises where the stream is cut off instead of ended
        assert server.process.wait(2 * PROMISED_S) == 0, server.stderr
        taken_s = time.monotonic() - told_s
        assert said(server) == ["Stopped."]
        return kept_alive.finish(), fresh.finish(), taken_s


# Each signal and each number of workers once; the full set has every pair.
@pytest.mark.parametrize(
    ("number", "workers"),
    [
        pytest.param(signal.SIGINT, 2, id="SIGINT-2"),
        pytest.param(signal.SIGTERM, 1, id="SIGTERM-1"),
        pytest.param(signal.SIGINT, 1, id="SIGINT-1", marks=pytest.mark.long),
        pytest.param(signal.SIGTERM, 2, id="SIGTERM-2", marks=pytest.mark.long),
    ],
)
def test_signal_to_all_processes_stops_a_server_and_fails_no_request(
    serve: Serve, figures: Figures, number: signal.Signals, workers: int
) -> None:
    requests = failed = 0
    longest_s = 0.0
    why: list[str] = []
    for _ in range(ROUNDS):
        *summaries, taken_s = stop_all_under_load(serve, number, workers)
        requests += sum(each.requests - each.count("refused") for each in summaries)
        failed += sum(each.count() - each.count("refused") for each in summaries)
        longest_s = max(longest_s, taken_s)
        why += map(describe, summaries)

    fault = f"{number.name} to the whole process group, {workers} worker{'s' * (workers > 1)}"
    measure = "failed requests, a slow one and a stream included"
    figures.hold(8, fault, measure, failed, "requests", at_most=0, why="; ".join(why))
    figures.tell(8, fault, "verified requests", requests, "requests")
    figures.hold(8, fault, "until the server was gone", longest_s, "s", at_most=PROMISED_S)


def test_second_interrupt_ends_a_server_at_once(serve: Serve, figures: Figures) -> None:
    with serve(workers=2, wrapper=OWN_GROUP) as server, RawConnection(server.port) as stalled:
        begin_request(stalled)
        workers = server.workers()
        to_all(server, signal.SIGINT)
        told_s = time.monotonic()
        # Sooner it would be the same one: some launchers hand on what the terminal has sent already.
        to_all(server, signal.SIGINT)
        wait_for(partial(is_past, told_s + 1.0), "a second has passed")
        assert server.process.poll() is None
        to_all(server, signal.SIGINT)
        again_s = time.monotonic()
        assert server.process.wait(PROMISED_S) == 128 + signal.SIGINT
        taken_s = time.monotonic() - again_s
        assert not any(map(exists, workers))
        assert [line.partition(":")[0] for line in said(server)] == [
            "Stopped immediately after the second signal"
        ]

    fault = "Ctrl+C twice, a request unfinished"
    figures.hold(8, fault, "from the second until the server was gone", taken_s, "s", at_most=FORCED_S)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, id="SIGINT", marks=pytest.mark.long),
        pytest.param(signal.SIGTERM, id="SIGTERM"),
    ],
)
def test_worker_that_stands_still_does_not_hold_up_the_end(
    serve: Serve, figures: Figures, number: signal.Signals
) -> None:
    with serve(workers=2, wrapper=OWN_GROUP) as server:
        workers = server.workers()
        os.kill(workers[0], signal.SIGSTOP)
        told_s = time.monotonic()
        to_all(server, number)
        assert server.process.wait(2 * PROMISED_S) == 0, server.stderr
        taken_s = time.monotonic() - told_s
        assert not any(map(exists, workers))

    fault = f"{number.name} to the whole process group, a worker frozen"
    figures.hold(8, fault, "until the server was gone", taken_s, "s", at_most=PROMISED_S)


def test_stop_does_not_wait_for_the_end_of_a_rolling_restart(serve: Serve, figures: Figures) -> None:
    with serve(workers=2, wrapper=OWN_GROUP) as server:
        before = server.workers()
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(server.workers()) > len(before), "a new worker is there")
        told_s = time.monotonic()
        to_all(server, signal.SIGTERM)
        assert server.process.wait(2 * PROMISED_S) == 0, server.stderr
        taken_s = time.monotonic() - told_s

    fault = "SIGTERM to the whole process group, in a rolling restart"
    figures.hold(8, fault, "until the server was gone", taken_s, "s", at_most=PROMISED_S)


def test_workers_heed_signals_once_their_server_was_killed(serve: Serve) -> None:
    with serve(workers=2, wrapper=OWN_GROUP) as server:
        workers = server.workers()
        server.process.kill()
        server.process.wait()
        assert all(map(exists, workers))
        with server.client() as client:
            assert client.get(path_of(NAMES[0])).status_code == 200
        to_all(server, signal.SIGTERM)
        wait_for(lambda: not any(map(exists, workers)), "the workers have ended", PROMISED_S)
