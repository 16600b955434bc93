"""Exactly as much as is allowed is accepted, and one more is refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from choirbook.http.exchange import Response
from choirbook.http.query import MAX_QUERY_FIELDS
from choirbook.http.rest import MAX_LIMIT
from choirbook.mcp.client_stream import EndReason
from choirbook.mcp.messages import MAX_BATCH, MAX_ID_CHARACTERS, Batch, Malformed, Message, decode
from choirbook.mcp.subscriptions import MAX_URIS
from choirbook.uri import MAX_URI_BYTES
from tests.support.apps import Served, serving
from tests.support.mcp import handshake, handshake_message, modern_headers, modern_message, post, result
from tests.support.streaming import answered, stream_of
from tests.support.trees import CORE_URI, plant


def listen(count: int) -> dict[str, Any]:
    uris = [f"{CORE_URI}/{number}" for number in range(count - 1)]
    return modern_message("subscriptions/listen", notifications={"resourceSubscriptions": [*uris, CORE_URI]})


async def test_a_listener_names_exactly_as_many_uris_as_are_allowed(served: Served) -> None:
    message = listen(MAX_URIS)
    async with asyncio.timeout(10):  # others get the loop in between, but nobody is made to wait
        stream, client = await stream_of(served, "POST", message, **modern_headers(message))
    (acknowledged,) = client.got
    assert acknowledged["params"]["notifications"]["resourceSubscriptions"] == [CORE_URI]
    stream.end(EndReason.SESSION)


async def test_a_listener_that_names_one_uri_more_is_refused(served: Served) -> None:
    message = listen(MAX_URIS + 1)
    answer = await answered(served, "POST", message, **modern_headers(message))
    assert isinstance(answer, Response)
    assert json.loads(answer.body)["error"]["code"] == -32602
    assert len(served.app.streams) == 0


async def test_a_uri_that_is_named_again_is_counted_once(served: Served) -> None:
    uris = [CORE_URI] * (MAX_URIS + 1)
    message = modern_message("subscriptions/listen", notifications={"resourceSubscriptions": uris})
    stream, _ = await stream_of(served, "POST", message, **modern_headers(message))
    assert served.app.streams.watched == 1
    stream.end(EndReason.SESSION)
    assert served.app.streams.watched == 0


async def test_a_session_subscribes_to_exactly_as_many_uris_as_are_allowed(library: Path) -> None:
    names = [f"n{number}.txt" for number in range(MAX_URIS + 1)]
    async with serving(plant(library, dict.fromkeys(names, "x"))) as served:
        begun = handshake_message("initialize", protocolVersion="2025-11-25", capabilities={})
        session = (await post(served, begun)).headers["mcp-session-id"]

        async def call(method: str, name: str) -> dict[str, Any]:
            uri = f"mcp://resources/files/{name}"
            response = await post(served, handshake_message(method, uri=uri), mcp_session_id=session)
            answer: dict[str, Any] = response.json()
            return answer

        for name in names[:-1]:
            assert "result" in await call("resources/subscribe", name)
        assert (await call("resources/subscribe", names[-1]))["error"]["code"] == -32602
        assert "result" in await call("resources/subscribe", names[0]), "it is subscribed to already"
        assert "result" in await call("resources/unsubscribe", names[0])
        assert "result" in await call("resources/subscribe", names[-1]), "there is room again"


@pytest.mark.parametrize("size", [2, 4])
async def test_a_full_last_page_has_no_cursor(tmp_path: Path, size: int) -> None:
    root = plant(tmp_path, dict.fromkeys(("a.txt", "b.txt", "c.txt", "d.txt"), "x"))
    async with serving(root, page_size=size) as served:

        async def over_mcp(cursor: str | None) -> dict[str, Any]:
            return await result(served, "modern", "resources/list", **({"cursor": cursor} if cursor else {}))

        async def over_http(cursor: str | None) -> dict[str, Any]:
            after = f"&cursor={cursor}" if cursor else ""
            page: dict[str, Any] = (await served.get(f"/mcp/resources?limit={size}{after}")).json()
            return page

        for page_after in (over_mcp, over_http):
            cursor, sizes = None, list[int]()
            while cursor is not None or not sizes:
                page = await page_after(cursor)
                cursor = page.get("nextCursor")
                sizes.append(len(page["resources"]))
            assert sizes == [size] * (4 // size)


def message(**changed: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping", **changed}).encode()


IDS = {
    "a number": int("1" * MAX_ID_CHARACTERS),
    "a negative number": -int("1" * (MAX_ID_CHARACTERS - 1)),
    "text": "x" * (MAX_ID_CHARACTERS - 2),  # its quotation marks are echoed too
    "text with an escape": "\t" + "x" * (MAX_ID_CHARACTERS - 4),
}


@pytest.mark.parametrize("id_", IDS.values(), ids=IDS)
def test_an_id_of_exactly_as_many_characters_as_are_allowed_is_echoed(id_: int | str) -> None:
    found = decode(message(id=id_))
    assert isinstance(found, Message)
    assert found.id == json.dumps(id_).encode()
    assert len(found.id) == MAX_ID_CHARACTERS


@pytest.mark.parametrize("id_", IDS.values(), ids=IDS)
def test_an_id_of_one_character_more_is_refused(id_: int | str) -> None:
    longer = f"{id_}x" if isinstance(id_, str) else int(f"{id_}1")
    found = decode(message(id=longer))
    assert isinstance(found, Malformed)
    assert found.id is None


async def test_a_long_id_comes_back_from_the_server(served: Served) -> None:
    for id_ in IDS.values():
        response = await post(served, handshake_message("ping", id_))
        assert response.json()["id"] == id_


def test_a_batch_has_exactly_as_many_messages_as_are_allowed() -> None:
    assert isinstance(decode(b"[" + b",".join([message()] * MAX_BATCH) + b"]"), Batch)
    found = decode(b"[" + b",".join([message()] * (MAX_BATCH + 1)) + b"]")
    assert isinstance(found, Malformed)
    assert found.error.message.startswith(f"The batch has {MAX_BATCH + 1} messages")


def uri_of(size: int) -> str:
    """Return a URI of so many bytes, whose segments are not too long."""
    uri = "mcp://resources/files"
    while len(uri) < size - 200:
        uri += "/" + "x" * 100
    return uri + "/" + "y" * (size - len(uri) - 1)


@pytest.mark.parametrize("size", [MAX_URI_BYTES, MAX_URI_BYTES + 1])
async def test_a_uri_has_exactly_as_many_bytes_as_are_allowed(served: Served, size: int) -> None:
    uri = uri_of(size)
    assert len(uri) == size
    failure = (await handshake(served, "resources/read", uri=uri)).json()["error"]
    is_allowed = size <= MAX_URI_BYTES
    assert failure["code"] == (-32002 if is_allowed else -32602), failure
    assert ("longer than" in failure["message"]) is not is_allowed


@pytest.mark.parametrize("limit", [1, MAX_LIMIT])
async def test_a_limit_of_the_listing_may_be_the_first_and_the_last_number(
    served: Served, limit: int
) -> None:
    assert (await served.get(f"/mcp/resources?limit={limit}")).status_code == 200


@pytest.mark.parametrize("limit", [0, MAX_LIMIT + 1])
async def test_a_limit_of_the_listing_beyond_them_is_refused(served: Served, limit: int) -> None:
    response = await served.get(f"/mcp/resources?limit={limit}")
    assert response.status_code == 400
    assert f"from 1 to {MAX_LIMIT}" in response.json()["detail"]


async def test_a_query_has_exactly_as_many_fields_as_are_allowed(served: Served) -> None:
    fields = [f"f{number}=1" for number in range(MAX_QUERY_FIELDS)]
    assert (await served.get(f"/mcp/resources?{'&'.join(fields)}")).status_code == 200
    assert (await served.get(f"/mcp/resources?{'&'.join([*fields, 'g=1'])}")).status_code == 400
