"""Streams over real connections, under both servers."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.servers.conftest import Start
from tests.servers.metrics import metrics, total
from tests.support.servers import DEADLINE_S, DOCUMENTS, Server, message, wait_for
from tests.support.streams import (
    BOTH,
    Events,
    begin_session,
    end_session,
    in_session,
    list_changed,
    listening,
    session_stream,
    updated,
)

CORE = "mcp://resources/sdlc/core"
PYTHON = "mcp://resources/patterns/python/core"
ALIAS = "mcp://resources/patterns/core"
SCRATCH = "mcp://resources/files/notes/scratch.txt"
STOPPED_S = 2.0


@pytest.fixture
def fresh(start: Start, root: Path) -> Iterator[Server]:
    """A server of one test's own, whose library it may edit, with streams that say often that they live."""
    with start(root, CHOIRBOOK_KEEP_ALIVE_S="0.2", CHOIRBOOK_STALL_S="0.5") as server:
        yield server


@pytest.fixture
def client(fresh: Server) -> Iterator[httpx.Client]:
    with fresh.client() as client:
        yield client


def open_streams(server: Server, era: str = "modern") -> float:
    with server.client() as client:
        return total(metrics(client), "choirbook_open_streams", era=era)


def ended(server: Server, why: str) -> float:
    with server.client() as client:
        return total(metrics(client), "choirbook_ended_streams_total", reason=why)


def edit(root: Path, path: str) -> None:
    (root / path).write_text(f"# Edited {time.monotonic_ns()}\n")


def test_acknowledgement_comes_first_and_has_what_is_honoured(client: httpx.Client) -> None:
    wanted = {"resourcesListChanged": True, "toolsListChanged": True, "promptsListChanged": True}
    uris = [CORE, "mcp://resources/sdlc/kore", "no uri", ALIAS, CORE]
    with listening(client, uris, 7, **wanted) as events:
        response = events.response
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["x-accel-buffering"] == "no"
        assert "mcp-session-id" not in response.headers
        assert events.next() == {
            "jsonrpc": "2.0",
            "method": "notifications/subscriptions/acknowledged",
            "params": {
                "_meta": {"io.modelcontextprotocol/subscriptionId": 7},
                "notifications": {"resourcesListChanged": True, "resourceSubscriptions": [CORE, ALIAS]},
            },
        }


def test_what_was_not_asked_for_is_not_honoured(client: httpx.Client) -> None:
    with listening(client) as events:
        assert events.next()["params"]["notifications"] == {}


def test_edits_are_told_to_those_who_asked(client: httpx.Client, root: Path) -> None:
    with ExitStack() as stack:
        of_one = stack.enter_context(listening(client, [SCRATCH], "one"))
        of_alias = stack.enter_context(listening(client, [ALIAS, PYTHON], 2))
        of_listing = stack.enter_context(listening(client, resourcesListChanged=True, id_="list"))
        for events in (of_one, of_alias, of_listing):
            events.next()

        edit(root, "notes/scratch.txt")
        assert of_one.next() == updated(SCRATCH, "one")
        edit(root, "python/patterns-core.md")
        assert {json.dumps(of_alias.next()) for _ in range(2)} == {
            json.dumps(updated(uri, 2)) for uri in (ALIAS, PYTHON)
        }
        edit(root, "notes/new.txt")
        assert of_listing.next() == list_changed("list")
        (root / "notes/scratch.txt").unlink()
        assert (of_one.next(), of_listing.next()) == (updated(SCRATCH, "one"), list_changed("list"))


def test_uri_is_told_as_the_client_spelled_it(client: httpx.Client, root: Path) -> None:
    spelled = "MCP://Resources/files/notes/scr%61tch.txt"
    with listening(client, [spelled]) as events:
        assert events.next()["params"]["notifications"]["resourceSubscriptions"] == [spelled]
        edit(root, "notes/scratch.txt")
        assert events.next() == updated(spelled)


def test_section_is_told_of_when_its_document_changes(client: httpx.Client, root: Path) -> None:
    section = f"{CORE}?section=how-we-work"
    session = begin_session(client)
    assert in_session(client, session, "resources/subscribe", uri=section).json()["result"] == {}
    with listening(client, [section]) as modern, session_stream(client, session) as handshake:
        assert modern.next()["params"]["notifications"]["resourceSubscriptions"] == [section]
        edit(root, "sdlc-core.md")
        assert modern.next() == updated(section)
        assert handshake.next() == updated(section, None)


def test_silent_streams_say_that_they_live(client: httpx.Client) -> None:
    session = begin_session(client)
    with listening(client, [CORE]) as modern, session_stream(client, session) as handshake:
        for events in (modern, handshake):
            assert [True for _ in range(12) if events.line() == ":"]


def test_streams_end_well_when_the_server_is_told_to_stop(client: httpx.Client, fresh: Server) -> None:
    session = begin_session(client)
    with ExitStack() as stack:
        modern = [stack.enter_context(listening(client, [CORE], id_)) for id_ in range(20)]
        handshake = stack.enter_context(session_stream(client, session))
        wait_for(lambda: open_streams(fresh) == 20, "all streams are open")
        fresh.process.send_signal(signal.SIGTERM)
        last = [events.rest()[-1] for events in modern]
        assert handshake.rest() == []

        # Uvicorn waits for its connections to close, and this client's are still in its hands.
        client.close()
        assert fresh.process.wait(STOPPED_S) in {0, -signal.SIGTERM}
    meta = [{"io.modelcontextprotocol/subscriptionId": id_} for id_ in range(20)]
    assert [each["id"] for each in last] == list(range(20))
    assert [each["result"] for each in last] == [{"resultType": "complete", "_meta": each} for each in meta]
    assert "Traceback" not in fresh.stderr


def test_client_that_hangs_up_is_noticed(client: httpx.Client, fresh: Server) -> None:
    session = begin_session(client)
    with listening(client, [CORE]), session_stream(client, session):
        wait_for(lambda: open_streams(fresh) == open_streams(fresh, "handshake") == 1, "both are open")
    wait_for(lambda: open_streams(fresh) == open_streams(fresh, "handshake") == 0, "both are closed")
    assert ended(fresh, "client") == 2
    # The stream is free for whoever comes back.
    with session_stream(client, session) as events:
        assert events.response.status_code == 200


def test_connection_goes_on_after_a_stream_has_ended(start: Start, root: Path) -> None:
    with start(root) as server, server.client() as client:
        session = begin_session(client)
        with session_stream(client, session) as events:
            with server.client() as other:
                assert end_session(other, session).status_code == 204
            assert events.rest() == []
        assert client.get("/mcp/resources/sdlc/core").status_code == 200
        with listening(client, [CORE]):
            wait_for(lambda: open_streams(server) == 1, "the next one is open")
        wait_for(lambda: open_streams(server) == 0, "its end is noticed")


def many(root: Path, count: int) -> list[str]:
    """Add documents with long names, and return their URIs."""
    (root / "many").mkdir()
    names = [f"{'name-' * 40}{number}.txt" for number in range(count)]
    for name in names:
        (root / "many" / name).write_text("x")
    return [f"mcp://resources/files/many/{name}" for name in names]


def test_slow_reader_is_ended_and_others_are_not(start: Start, root: Path) -> None:
    uris = many(root, 400)
    files = sorted((root / "many").iterdir())
    sent = json.dumps(
        message("modern", "subscriptions/listen", 1, notifications={"resourceSubscriptions": uris})
    ).encode()
    head = [
        "POST /mcp HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Accept: {BOTH}",
        "MCP-Protocol-Version: 2026-07-28",
        "Mcp-Method: subscriptions/listen",
        f"Content-Length: {len(sent)}",
    ]
    with start(root, CHOIRBOOK_STALL_S="0.5") as server, server.client() as client, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", server.port))
        slow.sendall("\r\n".join([*head, "", ""]).encode() + sent)
        with listening(client, uris) as quick:
            quick.next()
            wait_for(lambda: open_streams(server) == 2, "both are open")
            end_s = time.monotonic() + 2 * DEADLINE_S
            rounds = 0
            while not ended(server, "slow"):
                assert time.monotonic() < end_s
                rounds += 1
                for file in files:
                    file.write_text(f"{rounds}")
                told = {quick.next()["params"]["uri"] for _ in uris}
                assert told <= set(uris)
            assert open_streams(server) == 1


def test_no_more_streams_are_open_than_are_allowed(start: Start, root: Path) -> None:
    with start(root, CHOIRBOOK_MAX_STREAMS="1") as server, server.client() as client:
        with listening(client, [CORE]) as events:
            events.next()
            with listening(client, [CORE]) as refused:
                response = refused.response
                response.read()
                assert response.status_code == 503
                assert int(response.headers["retry-after"]) > 0
                assert response.json()["error"]["code"] == -32603
        wait_for(lambda: open_streams(server) == 0, "the stream's end is noticed")
        with listening(client, [CORE]) as again:
            again.next()


def test_session_is_told_over_its_one_stream(client: httpx.Client, root: Path) -> None:
    session = begin_session(client)
    before = in_session(client, session, "resources/subscribe", uri=SCRATCH)
    assert before.json()["result"] == {}
    with session_stream(client, session) as events:
        assert events.response.headers["content-type"] == "text/event-stream"
        edit(root, "notes/scratch.txt")
        assert events.next() == updated(SCRATCH, None)
        assert in_session(client, session, "resources/subscribe", uri=ALIAS).json()["result"] == {}
        edit(root, "python/patterns-core.md")
        assert events.next() == updated(ALIAS, None)
        assert in_session(client, session, "resources/unsubscribe", uri=ALIAS).json()["result"] == {}
        edit(root, "python/patterns-core.md")
        edit(root, "notes/new.txt")
        assert events.next() == list_changed(None)


def test_second_stream_of_a_session_is_refused(client: httpx.Client) -> None:
    session = begin_session(client)
    with session_stream(client, session) as first:
        first.line()
        with session_stream(client, session) as second:
            second.response.read()
            assert second.response.status_code == 409
            assert second.response.json()["error"]["code"] == -32600


def test_end_of_a_session_is_the_end_of_its_stream(client: httpx.Client, fresh: Server) -> None:
    session = begin_session(client)
    with session_stream(client, session) as events:
        events.line()
        assert end_session(client, session).status_code == 204
        assert events.rest() == []
    assert ended(fresh, "session") == 1
    with session_stream(client, session) as gone:
        assert gone.response.status_code == 404


def test_session_with_an_open_stream_is_not_idle(start: Start, root: Path) -> None:
    with start(root, CHOIRBOOK_SESSION_IDLE_S="0.5") as server, server.client() as client:
        listened, idle = begin_session(client), begin_session(client)
        with session_stream(client, listened) as events:

            def is_gone() -> bool:
                return total(metrics(client), "choirbook_sessions") == 1

            wait_for(is_gone, "the idle session has ended")
            assert in_session(client, idle, "ping").status_code == 404
            assert in_session(client, listened, "resources/subscribe", uri=SCRATCH).status_code == 200
            edit(root, "notes/scratch.txt")
            assert events.next() == updated(SCRATCH, None)


def test_documents_are_all_subscribed_to_at_once(client: httpx.Client, root: Path) -> None:
    uris = [each["uri"] for each in client.get("/mcp/resources").json()["resources"]]
    assert len(uris) == len(DOCUMENTS)
    with listening(client, uris) as events:
        events.next()
        for path in DOCUMENTS:
            edit(root, path)
        assert {_uri(events) for _ in uris} <= set(uris)


def _uri(events: Events) -> str:
    return str(events.next()["params"]["uri"])
