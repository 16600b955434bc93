"""Sessions whose client listens and sends nothing, and those whose client left."""

from __future__ import annotations

from pathlib import Path

from choirbook.http.exchange import LossReason, Response, Streaming
from choirbook.mcp.client_stream import EndReason
from tests.support.apps import Served, serving
from tests.support.mcp import handshake_message, post
from tests.support.streaming import answered, stream_of
from tests.support.trees import CORE, plant
from tests.support.waiting import eventually

EVENTS = "text/event-stream"


async def begin(served: Served) -> str:
    message = handshake_message("initialize", protocolVersion="2025-11-25", capabilities={})
    return (await post(served, message)).headers["mcp-session-id"]


async def status_within(served: Served, session: str) -> int:
    return (await post(served, handshake_message("ping"), mcp_session_id=session)).status_code


async def test_a_session_with_only_an_open_stream_does_not_expire(tmp_path: Path) -> None:
    async with serving(plant(tmp_path, {"sdlc-core.md": CORE}), session_idle_s=0.3) as served:
        listening = await begin(served)
        stream, client = await stream_of(served, "GET", accept=EVENTS, mcp_session_id=listening)
        # Each further session lives for as long as an idle one may; the listening one is idle for longer.
        for _ in range(3):
            idle = await begin(served)
            await eventually(lambda: served.app.sessions.count == 1)
            assert await status_within(served, idle) == 404
        assert (stream.ended, client.is_over) == (None, False)
        assert await status_within(served, listening) == 200


async def test_a_session_whose_stream_was_closed_expires(tmp_path: Path) -> None:
    async with serving(plant(tmp_path, {"sdlc-core.md": CORE}), session_idle_s=0.3) as served:
        session = await begin(served)
        stream, _ = await stream_of(served, "GET", accept=EVENTS, mcp_session_id=session)
        stream.lost(LossReason.CLIENT)
        await eventually(lambda: served.app.sessions.count == 0)
        assert await status_within(served, session) == 404


async def test_a_stream_ends_with_its_session(tmp_path: Path) -> None:
    async with serving(plant(tmp_path, {"sdlc-core.md": CORE})) as served:
        session = await begin(served)
        stream, client = await stream_of(served, "GET", accept=EVENTS, mcp_session_id=session)
        await served.client.delete("/mcp", headers={"mcp-session-id": session})
        assert (stream.ended, client.is_over) == (EndReason.SESSION, True)
        assert len(served.app.streams) == 0


async def test_a_client_that_lost_its_stream_opens_another_one(tmp_path: Path) -> None:
    async with serving(plant(tmp_path, {"sdlc-core.md": CORE})) as served:
        session = await begin(served)
        stream, _ = await stream_of(served, "GET", accept=EVENTS, mcp_session_id=session)
        second = await answered(served, "GET", accept=EVENTS, mcp_session_id=session)
        assert isinstance(second, Response)
        assert second.status == 409
        stream.lost(LossReason.CLIENT)
        # The ledger is told in the background that nobody holds the stream any more.
        await eventually(lambda: _can_open(served, session))
        assert len(served.app.streams) == 0


async def _can_open(served: Served, session: str) -> bool:
    answer = await answered(served, "GET", accept=EVENTS, mcp_session_id=session)
    if isinstance(answer, Streaming):
        answer.stream.lost(LossReason.CLIENT)
    return isinstance(answer, Streaming)
