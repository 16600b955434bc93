"""Streams over a real catalog; the client's end is a list of what it was sent."""

from __future__ import annotations

import asyncio

import pytest

from choirbook.errors import Overloaded
from choirbook.http.exchange import LossReason
from choirbook.mcp import open_streams as module
from choirbook.mcp.client_stream import EndReason
from choirbook.mcp.open_streams import OpenStreams
from tests.support.shelves import Shelf, opened, settled, uri
from tests.support.waiting import eventually


async def test_each_is_told_of_what_it_watches_and_of_nothing_else(
    shelf: Shelf, streams: OpenStreams
) -> None:
    (_, one), (_, other), (_, lister) = (
        opened(streams, "a"),
        opened(streams, "b"),
        opened(streams, wants_list=True),
    )
    shelf.put("a")
    await settled(streams)
    assert (one.told, other.told, lister.told) == ([uri("a")], [], [])


async def test_coming_and_going_is_told_to_those_who_want_the_listing(
    shelf: Shelf, streams: OpenStreams
) -> None:
    _, lister = opened(streams, wants_list=True)
    shelf.put("new")
    await settled(streams)
    shelf.remove("new")
    await settled(streams)
    assert lister.told == ["list", "list"]


async def test_a_document_that_goes_and_comes_back_is_told_twice(shelf: Shelf, streams: OpenStreams) -> None:
    _, client = opened(streams, "a")
    shelf.remove("a")
    await settled(streams)
    shelf.put("a")
    await settled(streams)
    assert client.told == [uri("a"), uri("a")]


async def test_one_slow_client_holds_up_no_other(shelf: Shelf, streams: OpenStreams) -> None:
    (_, slow), (_, quick) = opened(streams, "a"), opened(streams, "a")
    slow.keeps_up = False
    for _ in range(5):
        shelf.put("a")
        await settled(streams)
    assert (len(slow.told), len(quick.told)) == (1, 5)


async def test_no_more_streams_are_let_in_than_are_allowed(streams: OpenStreams) -> None:
    for _ in range(3):
        streams.admit()
        opened(streams)
    with pytest.raises(Overloaded):
        streams.admit()


async def test_no_more_is_watched_than_is_allowed(streams: OpenStreams) -> None:
    streams.admit(module.MAX_WATCHED)
    opened(streams, "a")
    with pytest.raises(Overloaded):
        streams.admit(module.MAX_WATCHED)


async def test_no_stream_is_let_in_once_the_server_ends(streams: OpenStreams) -> None:
    streams.close()
    with pytest.raises(Overloaded):
        streams.admit()
    streams.start()
    streams.admit()


async def test_a_silent_stream_is_kept_alive_and_a_busy_one_needs_no_more(shelf: Shelf) -> None:
    streams = OpenStreams(shelf.catalog, 3, 0.02, lambda: None)
    _, client = opened(streams)
    slow, blocked = opened(streams, "a")
    blocked.keeps_up = False
    shelf.put("a")
    await settled(streams)
    before = blocked.comments
    await eventually(lambda: client.comments >= 4)
    assert blocked.comments == before
    slow.lost(LossReason.SLOW)
    streams.close()


async def test_others_get_the_loop_while_many_are_told(shelf: Shelf) -> None:
    streams = OpenStreams(shelf.catalog, 10_000, 3600.0, lambda: None)
    clients = [opened(streams, "a")[1] for _ in range(2 * module.SLICE + 1)]
    shelf.put("a")
    seen: list[int] = []
    while not streams.is_idle:
        await asyncio.sleep(0)
        seen.append(sum(len(client.told) for client in clients))
    assert max(seen) == len(clients)
    assert any(0 < count < len(clients) for count in seen)
    streams.close()


async def test_how_many_watch_what_is_told(streams: OpenStreams) -> None:
    first, _ = opened(streams, "a", "b")
    opened(streams, "a")
    assert [streams.watching(uri(name)) for name in "abc"] == [2, 1, 0]
    first.end(EndReason.SESSION)
    assert [streams.watching(uri(name)) for name in "abc"] == [1, 0, 0]
