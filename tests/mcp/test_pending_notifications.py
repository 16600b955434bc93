"""Notifications that wait for a client that is slow, and what becomes of them."""

from __future__ import annotations

import asyncio

from choirbook.mcp.client_stream import BATCH, EndReason
from choirbook.mcp.open_streams import OpenStreams
from tests.support.shelves import Shelf, opened, settled, uri
from tests.support.waiting import eventually


async def test_pending_notifications_are_dropped_on_unsubscribe(shelf: Shelf, streams: OpenStreams) -> None:
    stream, client = opened(streams, "a", "b")
    client.keeps_up = False
    for _ in range(2):  # the second change waits for the client
        shelf.put("a", "b")
        await settled(streams)
    assert client.told == [uri("a"), uri("b")]
    stream.unwatch(uri("a"))
    client.keeps_up = True
    stream.resume()
    assert client.told == [uri("a"), uri("b"), uri("b")]


async def test_one_spelling_is_dropped_and_the_other_one_still_told(
    shelf: Shelf, streams: OpenStreams
) -> None:
    stream, client = opened(streams)
    client.keeps_up = False
    for spelling in ("one", "other"):
        stream.watch(uri("a"), spelling)
    for _ in range(2):
        shelf.put("a")
        await settled(streams)
    stream.unwatch("one")
    stream.resume()
    assert client.told == ["one", "other", "other"]
    assert streams.watched == 1


async def test_what_is_watched_by_nobody_is_not_kept(shelf: Shelf, streams: OpenStreams) -> None:
    stream, _ = opened(streams, "a")
    other, _ = opened(streams, "a")
    assert streams.watched == 2
    stream.unwatch(uri("a"))
    stream.unwatch(uri("a"))
    assert streams.watched == 1
    other.end(EndReason.SESSION)
    assert (streams.watched, streams.watching(uri("a"))) == (0, 0)


async def test_a_watch_twice_is_one(streams: OpenStreams) -> None:
    stream, _ = opened(streams, "a")
    stream.watch(uri("a"), uri("a"))
    stream.watch(uri("a"), "spelled otherwise")
    assert streams.watched == 1
    stream.end(EndReason.SESSION)
    assert streams.watched == 0


async def test_a_client_that_reads_again_is_told_until_it_stops(shelf: Shelf, streams: OpenStreams) -> None:
    names = [f"n{number}" for number in range(2 * BATCH + 1)]
    shelf.put(*names)
    stream, client = opened(streams, *names)
    client.keeps_up = False
    shelf.put(*names)
    await settled(streams)
    told = [len(client.told)]
    for _ in range(4):
        stream.resume()
        told.append(len(client.told))
    assert told == [BATCH, 2 * BATCH, 2 * BATCH + 1, 2 * BATCH + 1, 2 * BATCH + 1]
    assert streams.sent == 2 * BATCH + 1


async def test_streams_are_counted_by_era_until_they_end(streams: OpenStreams) -> None:
    stream, _ = opened(streams)
    assert streams.open_by_era[stream.era] == 1
    stream.end(EndReason.SESSION)
    stream.end(EndReason.SESSION)
    assert (streams.open_by_era[stream.era], streams.ended, len(streams)) == (0, {EndReason.SESSION: 1}, 0)


async def test_a_change_is_kept_back_for_its_head_start(shelf: Shelf) -> None:
    """A client that is told of it may read at another worker, which has to have seen it by then."""
    streams = OpenStreams(shelf.catalog, 3, 3600.0, lambda: None, head_start_s=0.2)
    _, client = opened(streams, "a")
    clock = asyncio.get_running_loop().time
    begun_s = clock()
    shelf.put("a")
    shelf.put("a")
    await eventually(lambda: client.told)
    assert clock() - begun_s >= 0.2
    await settled(streams)
    assert client.told == [uri("a")] * 2
    streams.close()


async def test_a_change_that_nobody_listens_to_is_not_kept(shelf: Shelf, streams: OpenStreams) -> None:
    shelf.put("a")
    assert streams.is_idle
    _, client = opened(streams, "a")
    await settled(streams)
    assert (client.told, streams.sent) == ([], 0)
