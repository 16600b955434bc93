"""Sessions and streams with two workers: whatever worker a request reaches, it is one server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.servers.metrics import metrics, total
from tests.support.servers import Server, rsgi_command, running, wait_for
from tests.support.streams import (
    Events,
    begin_session,
    end_session,
    in_session,
    list_changed,
    listening,
    session_stream,
    updated,
)

SCRATCH = "mcp://resources/files/notes/scratch.txt"
CORE = "mcp://resources/sdlc/core"
WORKERS = 2
STREAMS = 12
"""Connections of which, but for one time in two thousand, each worker gets at least one."""

STOPPED_S = 2.0


@pytest.fixture
def server(root: Path, tmp_path: Path) -> Iterator[Server]:
    with running(rsgi_command(root, "--workers", str(WORKERS)), tmp_path / "run") as server:
        wait_for(lambda: len(server.workers()) == WORKERS, "all workers run")
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """Each request over a connection of its own: the system spreads them over the workers."""
    with server.client(fresh=True) as client:
        yield client


def test_every_worker_knows_every_session(client: httpx.Client) -> None:
    sessions = [begin_session(client) for _ in range(STREAMS)]
    for _ in range(3):
        assert {in_session(client, session, "ping").status_code for session in sessions} == {200}


def test_no_worker_knows_a_session_that_has_ended(client: httpx.Client) -> None:
    for _ in range(STREAMS):
        session = begin_session(client)
        assert {in_session(client, session, "ping").status_code for _ in range(8)} == {200}
        assert end_session(client, session).status_code == 204
        assert {in_session(client, session, "ping").status_code for _ in range(8)} == {404}


def test_subscriptions_reach_the_worker_that_holds_the_stream(client: httpx.Client, root: Path) -> None:
    sessions = [begin_session(client) for _ in range(STREAMS)]
    with ExitStack() as stack:
        streams = [stack.enter_context(session_stream(client, session)) for session in sessions]
        for session in sessions:
            assert in_session(client, session, "resources/subscribe", uri=SCRATCH).status_code == 200
        (root / "notes/scratch.txt").write_text("Edited.\n")
        assert [events.next() for events in streams] == [updated(SCRATCH, None)] * STREAMS

        for session in sessions:
            assert in_session(client, session, "resources/unsubscribe", uri=SCRATCH).status_code == 200
        (root / "notes/scratch.txt").write_text("Edited again.\n")
        (root / "notes/new.txt").write_text("New.\n")
        assert [events.next() for events in streams] == [list_changed(None)] * STREAMS


def test_subscriptions_from_before_the_stream_count(client: httpx.Client, root: Path) -> None:
    sessions = [begin_session(client) for _ in range(STREAMS)]
    for session in sessions:
        in_session(client, session, "resources/subscribe", uri=SCRATCH)
    with ExitStack() as stack:
        streams = [stack.enter_context(session_stream(client, session)) for session in sessions]
        for events in streams:
            events.line()
        (root / "notes/scratch.txt").write_text("Edited.\n")
        assert [events.next() for events in streams] == [updated(SCRATCH, None)] * STREAMS


def test_modern_streams_are_told_by_whichever_worker_holds_them(client: httpx.Client, root: Path) -> None:
    with ExitStack() as stack:
        streams = [stack.enter_context(listening(client, [SCRATCH], id_)) for id_ in range(STREAMS)]
        for events in streams:
            events.next()
        (root / "notes/scratch.txt").write_text("Edited.\n")
        assert [events.next() for events in streams] == [updated(SCRATCH, id_) for id_ in range(STREAMS)]


def test_second_stream_is_refused_by_every_worker(client: httpx.Client) -> None:
    session = begin_session(client)
    with session_stream(client, session) as first:
        first.line()
        for _ in range(STREAMS):
            with session_stream(client, session) as second:
                assert second.response.status_code == 409


def test_end_of_a_session_reaches_the_worker_that_holds_the_stream(client: httpx.Client) -> None:
    for _ in range(STREAMS):
        session = begin_session(client)
        with session_stream(client, session) as events:
            events.line()
            assert end_session(client, session).status_code == 204
            assert events.rest() == []


def test_sessions_outlive_the_workers(client: httpx.Client, server: Server, root: Path) -> None:
    session = begin_session(client)
    in_session(client, session, "resources/subscribe", uri=SCRATCH)
    with session_stream(client, session) as lost:
        lost.line()
        before = server.workers()
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        # The system closes the connection of a process that is gone.
        with pytest.raises(httpx.TransportError):
            lost.rest()
    wait_for(lambda: _replaced(server, before), "both workers are replaced")

    with wait_for(lambda: _reopened(client, session), "the stream can be opened again") as again:
        again.line()
        assert in_session(client, session, "ping").status_code == 200
        (root / "notes/scratch.txt").write_text("Edited.\n")
        assert again.next() == updated(SCRATCH, None)


def test_stream_of_a_killed_worker_can_be_opened_at_the_other(client: httpx.Client, server: Server) -> None:
    sessions = [begin_session(client) for _ in range(STREAMS)]
    with ExitStack() as stack:
        streams = [stack.enter_context(session_stream(client, session)) for session in sessions]
        for events in streams:
            events.line()
        killed, left = server.workers()
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: _replaced(server, [killed]), "the killed worker is replaced")
        assert left in server.workers()
        answers = []
        for session in sessions:
            with session_stream(client, session) as events:
                answers.append(events.response.status_code)
    # Those of the worker that lives are still open; the others were lost with theirs.
    assert set(answers) == {200, 409}


def test_end_is_not_held_up_by_open_streams(client: httpx.Client, server: Server) -> None:
    session = begin_session(client)
    with ExitStack() as stack:
        streams = [stack.enter_context(listening(client, [CORE], id_)) for id_ in range(STREAMS)]
        streams.append(stack.enter_context(session_stream(client, session)))
        for events in streams:
            events.line()
        server.process.send_signal(signal.SIGTERM)
        ends = [events.rest()[-1:] for events in streams]
        assert server.process.wait(STOPPED_S) == 0
    assert [[each["id"] for each in end] for end in ends] == [[id_] for id_ in range(STREAMS)] + [[]]


def test_metrics_of_any_worker_show_all_streams_and_sessions(client: httpx.Client) -> None:
    session = begin_session(client)
    with ExitStack() as stack:
        for id_ in range(STREAMS):
            stack.enter_context(listening(client, [CORE], id_))
        stack.enter_context(session_stream(client, session))

        def shown() -> bool:
            page = metrics(client)
            found = {era: total(page, "choirbook_open_streams", era=era) for era in ("modern", "handshake")}
            return found == {"modern": STREAMS, "handshake": 1} and total(page, "choirbook_sessions") == 1

        wait_for(shown, "all are shown")


def test_nothing_is_left_behind(root: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = rsgi_command(root, "--workers", str(WORKERS))
    with running(command, tmp_path / "run", {"TMPDIR": str(scratch)}) as server:
        with server.client() as client:
            begin_session(client)
        (shared,) = scratch.iterdir()
        assert shared.stat().st_mode & 0o077 == 0
    assert list(scratch.iterdir()) == []


@dataclass
class Reopened:
    """A stream that is open, until the context is left."""

    stack: ExitStack
    events: Events

    def __enter__(self) -> Events:
        return self.events

    def __exit__(self, *_: object) -> None:
        self.stack.close()


def _replaced(server: Server, gone: list[int]) -> bool:
    workers = server.workers()
    return len(workers) == WORKERS and not set(gone) & set(workers)


def _reopened(client: httpx.Client, session: str) -> Reopened | None:
    """Open a session's stream; a worker that has just begun may not take connections yet."""
    stack = ExitStack()
    try:
        events = stack.enter_context(session_stream(client, session))
    except httpx.TransportError:
        return None
    if events.response.status_code == 200:
        return Reopened(stack, events)
    stack.close()
    return None
