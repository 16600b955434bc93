"""Sessions over HTTP, as far as no stream is needed; those are in tests/servers/test_streams.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.apps import Served, serving
from tests.support.mcp import handshake_message, modern_headers, modern_message, post
from tests.support.trees import CORE, plant
from tests.support.waiting import eventually

URI = "mcp://resources/sdlc/core"
EVENTS = "text/event-stream"
REVISION = "2025-11-25"


async def shake_hands(served: Served, **headers: str | None) -> httpx.Response:
    message = handshake_message("initialize", protocolVersion=REVISION, capabilities={})
    return await post(served, message, **headers)


async def begin(served: Served) -> str:
    return (await shake_hands(served)).headers["mcp-session-id"]


async def within(served: Served, session: str, method: str, **params: Any) -> httpx.Response:
    return await post(served, handshake_message(method, **params), mcp_session_id=session)


async def end(served: Served, session: str) -> httpx.Response:
    return await served.client.delete("/mcp", headers={"mcp-session-id": session})


async def test_a_client_that_reads_streams_gets_a_session_that_nobody_can_guess(served: Served) -> None:
    sessions = {await begin(served) for _ in range(10)}
    assert len(sessions) == 10
    assert all(len(session) >= 32 and session.isascii() and session.isprintable() for session in sessions)


async def test_a_client_that_reads_no_streams_gets_and_is_offered_none(served: Served) -> None:
    response = await shake_hands(served, accept="application/json")
    assert "mcp-session-id" not in response.headers
    assert response.json()["result"]["capabilities"]["resources"] == {}


async def test_no_session_is_begun_by_a_handshake_that_fails(served: Served) -> None:
    response = await post(served, handshake_message("initialize"))
    assert response.json()["error"]["code"] == -32602
    assert "mcp-session-id" not in response.headers


async def test_a_server_without_sessions_offers_none(tmp_path: Path) -> None:
    async with serving(plant(tmp_path, {"sdlc-core.md": CORE}), max_sessions=0) as served:
        response = await shake_hands(served)
        assert "mcp-session-id" not in response.headers
        assert response.json()["result"]["capabilities"]["resources"] == {}
        assert (await end(served, "any")).status_code == 404


async def test_a_client_that_ignores_its_session_goes_on_without_one(served: Served) -> None:
    await begin(served)
    response = await post(served, handshake_message("resources/read", uri=URI))
    assert response.json()["result"]["contents"][0]["uri"] == URI


async def test_requests_within_a_session_are_answered(served: Served) -> None:
    session = await begin(served)
    for method, params in (("ping", {}), ("resources/read", {"uri": URI}), ("resources/list", {})):
        assert "result" in (await within(served, session, method, **params)).json()
    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert (await post(served, initialized, mcp_session_id=session)).status_code == 202


@pytest.mark.parametrize("session", ["made-up", "x" * 10_000, "!", "'; drop table session; --"])
async def test_an_unknown_session_is_not_found(served: Served, session: str) -> None:
    response = await within(served, session, "ping")
    assert (response.status_code, response.json()["error"]["code"]) == (404, -32600)
    assert response.json()["id"] == 1
    assert "initialize" in response.json()["error"]["message"]


@given(session=st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF), min_size=1, max_size=100))
async def test_no_session_id_makes_a_server_error(served: Served, session: str) -> None:
    headers = [
        (b"accept", f"application/json, {EVENTS}".encode()),
        (b"mcp-session-id", session.encode("latin-1")),
    ]
    for method in ("GET", "DELETE", "POST"):
        request = served.client.build_request(method, "/mcp", json=handshake_message("ping"), headers=headers)
        assert (await served.client.send(request)).status_code == 404


async def test_a_session_that_its_client_ended_is_not_found(served: Served) -> None:
    session = await begin(served)
    assert (await end(served, session)).status_code == 204
    assert (await within(served, session, "ping")).status_code == 404
    assert (await end(served, session)).status_code == 404


async def test_responses_and_batches_need_their_session_too(served: Served) -> None:
    session = await begin(served)
    await end(served, session)
    response = {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert (await post(served, response, mcp_session_id=session)).status_code == 404
    batch = [handshake_message("ping")]
    answer = await post(served, batch, mcp_session_id=session, mcp_protocol_version="2025-03-26")
    assert answer.status_code == 404


async def test_a_batch_can_subscribe(served: Served) -> None:
    session = await begin(served)
    batch = [handshake_message("resources/subscribe", uri=URI), handshake_message("ping", 2)]
    answer = await post(served, batch, mcp_session_id=session, mcp_protocol_version="2025-03-26")
    assert answer.json() == [{"jsonrpc": "2.0", "id": id_, "result": {}} for id_ in (1, 2)]


async def test_a_session_ends_when_it_is_not_used(tmp_path: Path) -> None:
    async with serving(plant(tmp_path, {"sdlc-core.md": CORE}), session_idle_s=0.2) as served:
        session = await begin(served)
        await eventually(lambda: served.app.sessions.count == 0)
        assert (await within(served, session, "ping")).status_code == 404


async def test_a_session_that_is_used_goes_on(tmp_path: Path) -> None:
    async with serving(plant(tmp_path, {"sdlc-core.md": CORE}), session_idle_s=1.0) as served:
        idle, used = await begin(served), await begin(served)

        async def idle_is_over() -> bool:
            assert (await within(served, used, "ping")).status_code == 200
            return served.app.sessions.count == 1

        await eventually(idle_is_over)
        assert (await within(served, idle, "ping")).status_code == 404
        assert (await within(served, used, "ping")).status_code == 200


async def test_one_session_too_many_ends_the_one_used_longest_ago(tmp_path: Path) -> None:
    async with serving(plant(tmp_path, {"sdlc-core.md": CORE}), max_sessions=2) as served:
        sessions = [await begin(served) for _ in range(3)]
        answers = [(await within(served, session, "ping")).status_code for session in sessions]
        assert answers == [404, 200, 200]


async def test_subscribing_needs_a_session(served: Served) -> None:
    response = await post(served, handshake_message("resources/subscribe", uri=URI))
    assert response.json()["error"]["code"] == -32601
    assert "Mcp-Session-Id" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("params", "code"),
    [({}, -32602), ({"uri": URI.upper()}, -32002), ({"uri": f"{URI}x"}, -32002), ({"uri": "no uri"}, -32602)],
)
async def test_what_names_nothing_cannot_be_subscribed_to(
    served: Served, params: dict[str, str], code: int
) -> None:
    session = await begin(served)
    response = await within(served, session, "resources/subscribe", **params)
    assert response.json()["error"]["code"] == code


async def test_what_was_never_subscribed_to_can_be_unsubscribed_from(served: Served) -> None:
    session = await begin(served)
    assert (await within(served, session, "resources/unsubscribe", uri="x")).json()["result"] == {}
    assert (await within(served, session, "resources/unsubscribe")).json()["error"]["code"] == -32602


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD", "PUT"])
async def test_other_methods_need_a_session(served: Served, method: str) -> None:
    response = await served.client.request(method, "/mcp", headers={"accept": EVENTS})
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_the_modern_era_has_no_other_methods(served: Served, method: str) -> None:
    headers = {"accept": EVENTS, "mcp-session-id": await begin(served), "mcp-protocol-version": "2026-07-28"}
    assert (await served.client.request(method, "/mcp", headers=headers)).status_code == 405


async def test_a_stream_needs_a_client_that_accepts_it(served: Served) -> None:
    headers = {"accept": "application/json", "mcp-session-id": await begin(served)}
    assert (await served.client.get("/mcp", headers=headers)).status_code == 406


async def test_a_revision_that_is_not_served_is_refused(served: Served) -> None:
    headers = {"accept": EVENTS, "mcp-session-id": await begin(served), "mcp-protocol-version": "1999-01-01"}
    assert (await served.client.get("/mcp", headers=headers)).status_code == 400


async def test_modern_requests_neither_use_nor_get_a_session(served: Served) -> None:
    message = modern_message("resources/read", uri=URI)
    response = await post(served, message, mcp_session_id="made-up", **modern_headers(message))
    assert response.status_code == 200
    assert "mcp-session-id" not in response.headers
    assert served.app.sessions.count == 0


async def test_more_subscriptions_than_fit_into_one_request_are_refused(served: Served) -> None:
    message = modern_message(
        "subscriptions/listen", notifications={"resourceSubscriptions": [f"{URI}{n}" for n in range(10_000)]}
    )
    response = await post(served, message, **modern_headers(message))
    assert response.json()["error"]["code"] == -32602
    assert "at most 1000" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"notifications": None},
        {"notifications": []},
        {"notifications": {"resourcesListChanged": 1}},
        {"notifications": {"resourceSubscriptions": URI}},
        {"notifications": {"resourceSubscriptions": [1]}},
    ],
)
async def test_a_malformed_subscription_is_refused(served: Served, params: dict[str, Any]) -> None:
    message = modern_message("subscriptions/listen", **params)
    response = await post(served, message, **modern_headers(message))
    assert response.json()["error"]["code"] == -32602


async def test_a_server_that_is_full_says_when_to_come_again(tmp_path: Path) -> None:
    async with serving(plant(tmp_path, {"sdlc-core.md": CORE}), max_streams=0) as served:
        message = modern_message("subscriptions/listen", notifications={"resourcesListChanged": True})
        modern = await post(served, message, **modern_headers(message))
        headers = {"accept": EVENTS, "mcp-session-id": await begin(served)}
        handshake = await served.client.get("/mcp", headers=headers)
        for response in (modern, handshake):
            assert (response.status_code, response.json()["error"]["code"]) == (503, -32603)
            assert int(response.headers["retry-after"]) > 0


async def test_a_ledger_that_cannot_be_used_costs_the_session_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "shared").mkdir()
    root = plant(tmp_path / "library", {"sdlc-core.md": CORE})
    async with serving(root, shared=tmp_path / "shared") as served:
        (tmp_path / "shared" / "sessions.sqlite").write_bytes(b"This is no database. " * 100)
        response = await shake_hands(served)
        assert response.json()["result"]["capabilities"]["resources"] == {}
        assert "mcp-session-id" not in response.headers
        unknown = await within(served, "some", "ping")
        assert (unknown.status_code, unknown.headers["retry-after"]) == (503, "2")


async def test_metrics_show_the_sessions(served: Served) -> None:
    await begin(served)
    assert "choirbook_sessions 1.0" in await served.metrics()
