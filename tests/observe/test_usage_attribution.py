import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from choirbook.mcp.messages import CLIENT_INFO
from choirbook.observe.batch import MAX_KEPT_BODY_BYTES
from tests.support.apps import Served, serving
from tests.support.mcp import META, handshake, modern, modern_headers, modern_message, post
from tests.support.waiting import eventually

CORE = "mcp://resources/sdlc/core"
CORE_PATH = "/mcp/resources/sdlc/core"
PYTHON = "mcp://resources/patterns/python/core"


@pytest.fixture
async def counted(library: Path) -> AsyncIterator[Served]:
    """A library that is served with all that can be counted."""
    async with serving(library, usage_clients=True) as served:
        yield served


async def reads(served: Served) -> dict[str, int]:
    await served.metrics()  # what waits is worked up
    found = await asyncio.to_thread(served.app.usage.resources)
    return {each.uri: each.reads for each in found if each.reads}


async def clients(served: Served) -> dict[str, int]:
    await served.metrics()
    found = await asyncio.to_thread(served.app.usage.clients)
    return {f"{each.name} {each.version}".strip(): each.reads for each in found}


async def test_every_kind_of_read_counts_for_its_document(counted: Served) -> None:
    etag = (await counted.get(CORE_PATH)).headers["etag"]
    await counted.get(CORE_PATH, if_none_match=etag)
    await counted.get(CORE_PATH + "?section=the-core")
    await handshake(counted, "resources/read", uri=CORE)
    await modern(counted, "resources/read", uri=CORE)
    await handshake(counted, "tools/call", name="read", arguments={"uri": CORE})
    await counted.get("/mcp/resources/patterns/core")
    await modern(counted, "resources/read", uri="mcp://resources/patterns/core")
    assert await reads(counted) == {CORE: 6, PYTHON: 2}


async def test_what_is_not_there_is_not_counted(counted: Served) -> None:
    await counted.get("/mcp/resources/invented")
    await modern(counted, "resources/read", uri="mcp://resources/invented")
    await counted.get("/mcp/resources")
    await counted.get("/healthz")
    assert await reads(counted) == {}
    assert await clients(counted) == {}


async def test_documents_nobody_read_are_told_of_as_well(counted: Served) -> None:
    found = await asyncio.to_thread(counted.app.usage.resources)
    assert [(each.uri, each.reads, each.is_served) for each in found] == [
        (uri, 0, True) for uri in counted.library.catalog.uris()
    ]


async def test_over_http_a_client_is_the_product_of_its_user_agent(counted: Served) -> None:
    await counted.get(CORE_PATH, user_agent="claude-code/2.1 (cli)")
    await counted.get(CORE_PATH, user_agent="claude-code/2.1 (other)")
    await counted.get(CORE_PATH, user_agent="")
    await handshake(counted, "resources/read", uri=CORE)
    found = await clients(counted)
    assert found.pop("claude-code 2.1") == 2
    assert found.pop("unknown") == 1
    (rest,) = found
    assert rest.startswith("python-httpx ")


async def introduce(served: Served, info: Any, **more: Any) -> None:
    message = modern_message("resources/read", uri=CORE)
    message["params"]["_meta"] = {**META, CLIENT_INFO: info}
    message["params"] |= more
    answer = await post(served, message, **modern_headers(message), user_agent="agent/0")
    assert answer.status_code == 200


async def test_a_modern_client_is_what_its_request_says(counted: Served) -> None:
    await introduce(counted, {"name": "Claude Code", "version": "2.1"})
    await introduce(counted, {"name": "\x1b[2Jwipe", "version": "1"})
    await introduce(counted, ["no", "name"])
    assert await clients(counted) == {"Claude Code 2.1": 1, "\\x1b[2Jwipe 1": 1, "agent 0": 1}


async def test_of_a_long_request_only_the_headers_count(counted: Served) -> None:
    await introduce(counted, {"name": "long", "version": "1"}, padding="x" * MAX_KEPT_BODY_BYTES)
    assert await clients(counted) == {"agent 0": 1}


async def test_a_client_of_the_handshake_era_is_known_by_its_session(counted: Served) -> None:
    about: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": {}}
    about["clientInfo"] = {"name": "cursor", "version": "3"}
    session = (await handshake(counted, "initialize", **about)).headers["mcp-session-id"]
    message = {"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": CORE}}
    await post(counted, message, mcp_session_id=session)
    await post(counted, message, mcp_session_id="invented")
    assert await clients(counted) == {"cursor 3": 1}


async def test_who_reads_is_not_kept_unless_that_is_wanted(library: Path) -> None:
    async with serving(library) as served:
        await served.get(CORE_PATH, user_agent="private/1")
        await served.get("/mcp/search?q=nonexistentword")
        assert await reads(served) == {CORE: 1}
        assert await clients(served) == {}
        assert await asyncio.to_thread(served.app.usage.empty_searches) == []


async def test_searches_that_find_nothing_are_kept(counted: Served) -> None:
    for query in ("nonexistentword", "nonexistentword", "core"):
        assert (await counted.get(f"/mcp/search?q={query}")).status_code == 200
    answer = await handshake(counted, "tools/call", name="search", arguments={"query": "another-invention"})
    assert answer.status_code == 200
    found = await asyncio.to_thread(counted.app.usage.empty_searches)
    assert [(each.query, each.count) for each in found] == [("nonexistentword", 2), ("another-invention", 1)]


async def test_a_document_that_went_is_no_longer_served(tmp_path: Path, library: Path) -> None:
    async with serving(library, usage=tmp_path / "usage.sqlite", rescan_s=0.05) as served:
        await served.get(CORE_PATH)
        before = len(served.library.catalog.uris())
        (library / "sdlc-core.md").unlink()
        (library / "patterns" / "go" / "patterns-core.md").unlink()
        await eventually(lambda: len(served.library.catalog.uris()) == before - 2)
        found = {each.uri: each.is_served for each in await asyncio.to_thread(served.app.usage.resources)}
    assert found.pop(CORE) is False
    assert "mcp://resources/patterns/go/core" not in found
    assert set(found.values()) == {True}


async def test_counts_go_on_after_a_restart(tmp_path: Path, library: Path) -> None:
    for expected in (1, 2):
        async with serving(library, usage=tmp_path / "usage.sqlite") as served:
            await served.get(CORE_PATH, user_agent="a/1")
            assert await reads(served) == {CORE: expected}
            assert await clients(served) == {"a 1": expected}
