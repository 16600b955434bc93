"""`subscriptions/listen` in this process: what is honoured, and that it waits for the library."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx

from choirbook.http.exchange import LossReason, Response, Streaming
from choirbook.mcp.client_stream import EndReason
from tests.support.apps import BASE, Served, application, serving
from tests.support.mcp import modern_headers, modern_message
from tests.support.shelves import Client
from tests.support.sources import FailingSource
from tests.support.streaming import answered, stream_of
from tests.support.trees import CORE_URI, plant
from tests.support.waiting import eventually

ALIAS = "mcp://resources/patterns/core"


async def listen(served: Served, **wanted: Any) -> tuple[Any, Client, dict[str, Any]]:
    """Open a stream, and return it with what is honoured."""
    message = modern_message("subscriptions/listen", "sub", notifications=wanted)
    stream, client = await stream_of(served, "POST", message, **modern_headers(message))
    assert client.got[0]["method"] == "notifications/subscriptions/acknowledged"
    return stream, client, client.got[0]["params"]["notifications"]


async def test_only_what_was_asked_for_is_honoured(served: Served) -> None:
    for wanted, honoured in (
        ({}, {}),
        ({"resourcesListChanged": False}, {}),
        ({"resourcesListChanged": True}, {"resourcesListChanged": True}),
        ({"resourceSubscriptions": []}, {"resourceSubscriptions": []}),
        (
            {"resourceSubscriptions": [CORE_URI, f"{CORE_URI}x", "no uri"]},
            {"resourceSubscriptions": [CORE_URI]},
        ),
        ({"toolsListChanged": True}, {}),
    ):
        stream, _, found = await listen(served, **wanted)
        assert found == honoured
        stream.end(EndReason.SESSION)


async def test_changes_of_the_listing_are_told_to_those_who_asked_for_them(library: Path) -> None:
    async with serving(library, rescan_s=0.05) as served:
        _, told, _ = await listen(served, resourcesListChanged=True)
        _, untold, _ = await listen(served, resourceSubscriptions=[CORE_URI])
        plant(library, {"new.txt": "x"})
        await eventually(lambda: "list" in told.told)
        assert len(untold.got) == 1


async def test_a_document_is_told_of_under_the_uri_that_the_client_used(library: Path) -> None:
    async with serving(library, rescan_s=0.05) as served:
        section = f"{CORE_URI}?section=the-core"
        _, client, honoured = await listen(served, resourceSubscriptions=[CORE_URI, section, ALIAS])
        assert honoured == {"resourceSubscriptions": [CORE_URI, section, ALIAS]}
        assert served.app.streams.watched == 2, "the document and its section are one to the catalog"
        plant(library, {"sdlc-core.md": "# The core\n\nChanged.\n"})
        await eventually(lambda: len(client.told) == 3)
        assert client.told[1:] == [CORE_URI, section]


async def test_a_stream_that_ends_leaves_no_trace(served: Served) -> None:
    stream, client, _ = await listen(served, resourceSubscriptions=[CORE_URI], resourcesListChanged=True)
    assert (len(served.app.streams), served.app.streams.watched) == (1, 1)
    stream.lost(LossReason.CLIENT)
    assert (len(served.app.streams), served.app.streams.watched) == (0, 0)
    assert served.app.streams.watching(CORE_URI) == 0
    assert len(client.got) == 1


async def test_the_end_of_a_subscription_answers_its_request(served: Served) -> None:
    stream, client, _ = await listen(served, resourceSubscriptions=[CORE_URI])
    stream.end(EndReason.SHUTDOWN)
    assert (client.got[-1]["id"], client.got[-1]["result"]["resultType"]) == ("sub", "complete")
    assert client.is_over


async def test_one_who_listens_while_the_library_is_scanned_waits(library: Path) -> None:
    source = FailingSource(library)
    source.fails_list = True
    app = await asyncio.to_thread(lambda: application(library, source=source, rescan_s=0.05))
    async with app.lifespan(), httpx.AsyncClient(base_url=BASE) as client:
        served = Served(app, client, library)
        message = modern_message("subscriptions/listen", notifications={"resourceSubscriptions": [CORE_URI]})
        listening = asyncio.create_task(stream_of(served, "POST", message, **modern_headers(message)))
        headers = {"accept": "text/event-stream"}
        assert (await answered(served, "GET", **headers)).status == 405, "others are answered meanwhile"
        assert not app.library.is_ready
        source.fails_list = False
        _, end = await listening
        assert end.got[0]["params"]["notifications"] == {"resourceSubscriptions": [CORE_URI]}


async def test_reads_and_listings_wait_while_the_library_is_scanned(library: Path) -> None:
    source = FailingSource(library)
    source.fails_list = True
    app = await asyncio.to_thread(lambda: application(library, source=source, rescan_s=0.05))
    async with app.lifespan(), httpx.AsyncClient(base_url=BASE) as client:
        served = Served(app, client, library)
        calls = [
            modern_message("resources/list"),
            modern_message("resources/read", uri=CORE_URI),
            modern_message("resources/read", uri=f"{CORE_URI}x"),
        ]
        asked = [
            asyncio.create_task(answered(served, "POST", call, **modern_headers(call))) for call in calls
        ]
        await eventually(lambda: app.library.follower.failed_scans >= 2)
        assert not any(each.done() for each in asked)
        source.fails_list = False
        listed, read, missing = [json.loads(_response(await each).body) for each in asked]
        assert len(listed["result"]["resources"]) == len(app.library.catalog)
        assert read["result"]["contents"][0]["uri"] == CORE_URI
        assert missing["error"]["data"] == {"uri": f"{CORE_URI}x"}


def _response(answer: Response | Streaming) -> Response:
    assert isinstance(answer, Response)
    return answer
