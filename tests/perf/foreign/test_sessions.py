"""Sessions under load: opened, replaced after a 404, and each of them ended, whatever the generator."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from threading import Event, Lock

import pytest

from choirbook_perf import engine
from choirbook_perf.engine import ClosedLoad
from choirbook_perf.planner import make_plan
from choirbook_perf.scenario import parse
from tests.perf.processes import perf
from tests.perf.scripted_server import Answer, Asked, Script, Scripted, error, hello, scripted

LOAD = ClosedLoad(users=3, run_time_s=1, spawn_rate=50, warm_up_s=0)
EMPTY = Answer(202)


class Sessions:
    """A server with sessions; it forgets each after a number of reads.

    Args:
        reads: Number of reads of a session; 0 for any.
    """

    def __init__(self, reads: int = 0) -> None:
        self.opened: list[str] = []
        self.ended: list[str] = []
        self.ids: list[tuple[str, int]] = []
        """Session and id of each request."""
        self._reads = reads
        self._left: dict[str, int] = {}
        self._ids = count()
        self._lock = Lock()

    def __call__(self, asked: Asked) -> Answer:
        """Answer one request."""
        with self._lock:
            return self._answer(asked)

    def _answer(self, asked: Asked) -> Answer:
        session = asked.headers.get("mcp-session-id", "")
        if asked.rpc == "initialize":
            self.opened.append(f"s-{next(self._ids)}")
            self._left[self.opened[-1]] = self._reads
            return Answer(body=hello(resources={}), headers={"Mcp-Session-Id": self.opened[-1]})
        if asked.rpc == "server/discover":
            return error(-32601, "unknown", 400)
        if asked.method == "DELETE":
            self.ended.append(session)
            return Answer(204 if self._left.pop(session, None) is not None else 404)
        if "id" in asked.message:
            self.ids.append((session, asked.message["id"]))
        if session not in self._left:
            return error(-32001, "Session not found", 404)
        if asked.rpc == "notifications/initialized":
            return EMPTY
        return self._read(asked, session)

    def _read(self, asked: Asked, session: str) -> Answer:
        uri = asked.message.get("params", {}).get("uri", "")
        if asked.rpc == "resources/list":
            return Answer(body={"resources": [{"uri": "a://b", "name": "b"}]})
        if uri != "a://b":
            return error(-32602, "unknown")
        # The probe reads twice, and is not to be forgotten.
        if self._reads and session != self.opened[0]:
            self._left[session] -= 1
            if self._left[session] <= 0:
                del self._left[session]
        return Answer(body={"contents": [{"uri": "a://b", "text": "x"}]})


def test_each_user_has_a_session_and_ends_it() -> None:
    sessions = Sessions()
    with scripted(sessions) as server:
        plan = make_plan(f"{server.url}/mcp", "mcp", "auto", think_time_s=(0.01, 0.02))
        measured, _ = engine.run(plan, LOAD, with_floor=False)
    assert measured.failures == []
    assert len(sessions.opened) == 1 + LOAD.users
    assert sorted(sessions.ended) == sorted(sessions.opened)
    # The Python SDK finds the stream of a request by its id, and mixes up those that have the same one.
    assert len(set(sessions.ids)) == len(sessions.ids) > LOAD.users


def test_a_session_that_is_forgotten_is_replaced_and_none_is_left() -> None:
    sessions = Sessions(reads=5)
    with scripted(sessions) as server:
        plan = make_plan(f"{server.url}/mcp", "mcp", "auto", think_time_s=(0.01, 0.02))
        measured, _ = engine.run(plan, LOAD, with_floor=False)
    assert {failure.reason for failure in measured.failures} == {"JSON-RPC error -32001: Session not found"}
    # One failed request for each session that was forgotten; then the load goes on in a new one.
    assert len(sessions.opened) == 1 + LOAD.users + sum(failure.count for failure in measured.failures)
    assert set(sessions.ended) == set(sessions.opened)


def test_locust_replaces_a_forgotten_session_too(tmp_path: Path) -> None:
    sessions = Sessions(reads=5)
    with scripted(sessions) as server:
        options = ("--users", "3", "--spawn-rate", "50", "--run-time", "3s", "--think-time", "0.01-0.02")
        place = ("--url", f"{server.url}/mcp", "--protocol", "mcp", "--out", tmp_path)
        perf("test", "--locust", *options, *place)
    failures = json.loads((tmp_path / "result.json").read_bytes())["failures"]
    assert {failure["reason"] for failure in failures} == {"JSON-RPC error -32001: Session not found"}
    assert len(sessions.opened) == 1 + 3 + sum(failure["count"] for failure in failures)
    assert len(set(sessions.ids)) == len(sessions.ids)
    assert set(sessions.ended) == set(sessions.opened)


def test_what_the_operation_initialize_opens_is_ended() -> None:
    sessions = Sessions()
    scenario = parse(
        'name = "i"\nthink_time_s = [0.01, 0.02]\n[[task]]\nname = "i"\noperation = "initialize"\n', "i.toml"
    )
    with scripted(sessions) as server:
        plan = make_plan(f"{server.url}/mcp", "mcp", "handshake", scenario)
        measured, _ = engine.run(plan, LOAD, with_floor=False)
    assert measured.failures == []
    assert len(sessions.opened) > 10
    assert sorted(sessions.ended) == sorted(sessions.opened)


def test_a_session_that_is_still_being_opened_at_the_end_is_ended() -> None:
    sessions, answered = Sessions(), Event()

    def slow(asked: Asked) -> Answer:
        if asked.rpc == "initialize" and sessions.opened:
            answered.wait(2.5)  # longer than the load, shorter than the wait for sessions
        return sessions(asked)

    with scripted(slow) as server:
        plan = make_plan(f"{server.url}/mcp", "mcp", "auto", think_time_s=(0.01, 0.02))
        engine.run(plan, LOAD, with_floor=False)
    assert len(sessions.opened) == 1 + LOAD.users
    assert sorted(sessions.ended) == sorted(sessions.opened)


@pytest.fixture
def streaming() -> Script:
    """Return a server whose answers are streams that it leaves open."""

    def script(asked: Asked) -> Answer:
        results = {
            "initialize": hello(resources={}),
            "resources/list": {"resources": [{"uri": "a://b", "name": "b"}]},
            "resources/read": {"contents": [{"uri": "a://b", "text": "x"}]},
        }
        if asked.rpc not in results or asked.message.get("params", {}).get("uri", "a://b") != "a://b":
            return error(-32601, "no")
        reply = json.dumps({"jsonrpc": "2.0", "id": 1, "result": results[asked.rpc]}).encode()
        body = b": hello\n\ndata: " + reply + b"\n\n"
        # Longer than what is sent: the rest of the stream never comes.
        return Answer(200, body, {"Content-Type": "text/event-stream", "Content-Length": str(len(body) + 10)})

    return script


def test_a_stream_that_stays_open_ends_with_its_reply(streaming: Script) -> None:
    server: Scripted
    with scripted(streaming) as server:
        plan = make_plan(f"{server.url}/mcp", "mcp", "auto", think_time_s=())
        measured, _ = engine.run(plan, LOAD, with_floor=False)
    assert measured.failures == []
    assert sum(count for series in measured.series for _, count in series.counts) > 0
