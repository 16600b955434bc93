"""One client's stream, over a real catalog."""

from __future__ import annotations

from choirbook.errors import Era
from choirbook.http.exchange import LossReason
from choirbook.mcp.client_stream import BATCH, ClientStream, EndReason
from choirbook.mcp.open_streams import OpenStreams
from tests.support.shelves import Client, Shelf, opened, settled, uri


async def test_a_client_is_told_by_the_spelling_that_it_used(shelf: Shelf, streams: OpenStreams) -> None:
    stream, client = opened(streams)
    for spelling in ("one spelling", "another"):
        stream.watch(uri("a"), spelling)
    shelf.put("a")
    await settled(streams)
    assert client.told == ["one spelling", "another"]
    stream.unwatch("another")
    shelf.put("a")
    await settled(streams)
    assert client.told == ["one spelling", "another", "one spelling"]


async def test_what_changes_while_a_client_is_slow_is_told_once(shelf: Shelf, streams: OpenStreams) -> None:
    stream, client = opened(streams, "a", "b")
    client.keeps_up = False
    for _ in range(10):
        shelf.put("a", "b")
        await settled(streams)
    assert client.told == [uri("a"), uri("b")]
    client.keeps_up = True
    stream.resume()
    assert client.told == [uri("a"), uri("b")] * 2


async def test_a_slow_client_is_sent_one_batch_at_a_time(shelf: Shelf, streams: OpenStreams) -> None:
    names = [f"n{number}" for number in range(3 * BATCH)]
    shelf.put(*names)
    stream, client = opened(streams, *names)
    client.keeps_up = False
    shelf.put(*names)
    await settled(streams)
    assert len(client.told) == BATCH
    stream.resume()
    assert len(client.told) == 2 * BATCH


async def test_nothing_is_kept_of_a_client_that_is_lost(shelf: Shelf, streams: OpenStreams) -> None:
    stream, client = opened(streams, "a", wants_list=True)
    stream.lost(LossReason.CLIENT)
    stream.lost(LossReason.CLIENT)
    shelf.put("a")
    await settled(streams)
    assert client.told == []
    assert (len(streams), streams.watched, streams.ended) == (0, 0, {EndReason.CLIENT: 1})


async def test_a_slow_client_that_is_given_up_is_counted_as_such(streams: OpenStreams) -> None:
    stream, _ = opened(streams, "a")
    stream.lost(LossReason.SLOW)
    assert streams.ended == {EndReason.SLOW: 1}


async def test_the_opening_comes_first_and_the_closing_last(shelf: Shelf, streams: OpenStreams) -> None:
    _, client = opened(streams, "a", opening=(b'{"method":"first"}',), closing=(b'{"last":1}',))
    shelf.put("a")
    await settled(streams)
    streams.close()
    assert [each.get("method") or "last" for each in client.got] == [
        "first",
        "notifications/resources/updated",
        "last",
    ]
    assert client.is_over
    assert streams.ended == {EndReason.SHUTDOWN: 1}


async def test_a_stream_that_ended_before_it_was_opened_ends_at_once(streams: OpenStreams) -> None:
    ends: list[int] = []
    stream, client = ClientStream(streams, Era.HANDSHAKE, None, wants_list=True), Client()
    stream.on_end = lambda: ends.append(1)
    stream.end(EndReason.SESSION)
    stream.open(client)
    assert (client.is_over, ends, len(streams)) == (True, [1], 0)
