"""Streams over a real catalog; the client's end is a list of what it was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from carrel.catalog import Catalog
from carrel.draft import Document
from carrel.errors import Era, Overloaded
from carrel.http.exchange import Loss
from carrel.mcp import streams as module
from carrel.mcp.streams import BATCH, Ending, Stream, Streams
from carrel.model import SourceEntry, Version
from carrel.rules import default_rules
from tests.support.waiting import eventually


class Client:
    """One client's end of a stream."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.comments = 0
        self.keeps_up = True
        self.is_over = False

    def send(self, messages: Sequence[bytes]) -> bool:
        assert not self.is_over
        self.got += map(json.loads, messages)
        return self.keeps_up

    def keep_alive(self) -> None:
        self.comments += 1

    def end(self) -> None:
        self.is_over = True

    @property
    def told(self) -> list[str]:
        """URIs that changed, and `list` for the listing."""
        return [each.get("params", {}).get("uri", "list") for each in self.got if "method" in each]


class Shelf:
    """A catalog to put documents into."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._versions = 0

    def put(self, *names: str) -> None:
        self._versions += 1
        version = Version(str(self._versions))
        self.catalog.apply(
            (f"{name}.txt", Document(SourceEntry(f"{name}.txt", version, 1, 1), "text/plain", name, ""))
            for name in names
        )

    def remove(self, *names: str) -> None:
        self.catalog.apply((f"{name}.txt", None) for name in names)


def uri(name: str) -> str:
    return f"mcp://resources/files/{name}.txt"


@pytest.fixture
def shelf() -> Shelf:
    shelf = Shelf(Catalog(default_rules("shelf")))
    shelf.put("a", "b")
    return shelf


@pytest.fixture
async def streams(shelf: Shelf) -> AsyncIterator[Streams]:
    streams = Streams(shelf.catalog, 3, 3600.0, lambda: None)
    yield streams
    streams.close()


def opened(streams: Streams, *names: str, wants_list: bool = False, **more: Any) -> tuple[Stream, Client]:
    stream, client = Stream(streams, Era.HANDSHAKE, None, wants_list=wants_list, **more), Client()
    for name in names:
        stream.watch(uri(name), uri(name))
    stream.open(client)
    return stream, client


async def settled(streams: Streams) -> None:
    """Wait until all changes so far were told."""
    await eventually(lambda: streams.is_idle)


async def test_each_is_told_of_what_it_watches_and_of_nothing_else(shelf: Shelf, streams: Streams) -> None:
    (_, one), (_, other), (_, lister) = (
        opened(streams, "a"),
        opened(streams, "b"),
        opened(streams, wants_list=True),
    )
    shelf.put("a")
    await settled(streams)
    assert (one.told, other.told, lister.told) == ([uri("a")], [], [])


async def test_coming_and_going_is_told_to_those_who_want_the_listing(shelf: Shelf, streams: Streams) -> None:
    _, lister = opened(streams, wants_list=True)
    shelf.put("new")
    await settled(streams)
    shelf.remove("new")
    await settled(streams)
    assert lister.told == ["list", "list"]


async def test_a_document_that_goes_and_comes_back_is_told_twice(shelf: Shelf, streams: Streams) -> None:
    _, client = opened(streams, "a")
    shelf.remove("a")
    await settled(streams)
    shelf.put("a")
    await settled(streams)
    assert client.told == [uri("a"), uri("a")]


async def test_a_client_is_told_by_the_spelling_that_it_used(shelf: Shelf, streams: Streams) -> None:
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


async def test_what_changes_while_a_client_is_slow_is_told_once(shelf: Shelf, streams: Streams) -> None:
    stream, client = opened(streams, "a", "b")
    client.keeps_up = False
    for _ in range(10):
        shelf.put("a", "b")
        await settled(streams)
    assert client.told == [uri("a"), uri("b")]
    client.keeps_up = True
    stream.resume()
    assert client.told == [uri("a"), uri("b")] * 2


async def test_a_slow_client_is_sent_one_batch_at_a_time(shelf: Shelf, streams: Streams) -> None:
    names = [f"n{number}" for number in range(3 * BATCH)]
    shelf.put(*names)
    stream, client = opened(streams, *names)
    client.keeps_up = False
    shelf.put(*names)
    await settled(streams)
    assert len(client.told) == BATCH
    stream.resume()
    assert len(client.told) == 2 * BATCH


async def test_one_slow_client_holds_up_no_other(shelf: Shelf, streams: Streams) -> None:
    (_, slow), (_, quick) = opened(streams, "a"), opened(streams, "a")
    slow.keeps_up = False
    for _ in range(5):
        shelf.put("a")
        await settled(streams)
    assert (len(slow.told), len(quick.told)) == (1, 5)


async def test_nothing_is_kept_of_a_client_that_is_lost(shelf: Shelf, streams: Streams) -> None:
    stream, client = opened(streams, "a", wants_list=True)
    stream.lost(Loss.CLIENT)
    stream.lost(Loss.CLIENT)
    shelf.put("a")
    await settled(streams)
    assert client.told == []
    assert (len(streams), streams.watched, streams.ended) == (0, 0, {Ending.CLIENT: 1})


async def test_a_slow_client_that_is_given_up_is_counted_as_such(streams: Streams) -> None:
    stream, _ = opened(streams, "a")
    stream.lost(Loss.SLOW)
    assert streams.ended == {Ending.SLOW: 1}


async def test_the_opening_comes_first_and_the_closing_last(shelf: Shelf, streams: Streams) -> None:
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
    assert streams.ended == {Ending.SHUTDOWN: 1}


async def test_no_more_streams_are_let_in_than_are_allowed(streams: Streams) -> None:
    for _ in range(3):
        streams.admit()
        opened(streams)
    with pytest.raises(Overloaded):
        streams.admit()


async def test_no_more_is_watched_than_is_allowed(streams: Streams) -> None:
    streams.admit(module.MAX_WATCHED)
    opened(streams, "a")
    with pytest.raises(Overloaded):
        streams.admit(module.MAX_WATCHED)


async def test_no_stream_is_let_in_once_the_server_ends(streams: Streams) -> None:
    streams.close()
    with pytest.raises(Overloaded):
        streams.admit()
    streams.start()
    streams.admit()


async def test_a_stream_that_ended_before_it_was_opened_ends_at_once(streams: Streams) -> None:
    ends: list[int] = []
    stream, client = Stream(streams, Era.HANDSHAKE, None, wants_list=True), Client()
    stream.on_end = lambda: ends.append(1)
    stream.end(Ending.SESSION)
    stream.open(client)
    assert (client.is_over, ends, len(streams)) == (True, [1], 0)


async def test_a_silent_stream_is_kept_alive_and_a_busy_one_needs_no_more(shelf: Shelf) -> None:
    streams = Streams(shelf.catalog, 3, 0.02, lambda: None)
    _, client = opened(streams)
    slow, blocked = opened(streams, "a")
    blocked.keeps_up = False
    shelf.put("a")
    await settled(streams)
    before = blocked.comments
    await eventually(lambda: client.comments >= 4)
    assert blocked.comments == before
    slow.lost(Loss.SLOW)
    streams.close()


async def test_others_get_the_loop_while_many_are_told(shelf: Shelf) -> None:
    streams = Streams(shelf.catalog, 10_000, 3600.0, lambda: None)
    clients = [opened(streams, "a")[1] for _ in range(2 * module.SLICE + 1)]
    shelf.put("a")
    seen: list[int] = []
    while not streams.is_idle:
        await asyncio.sleep(0)
        seen.append(sum(len(client.told) for client in clients))
    assert max(seen) == len(clients)
    assert any(0 < count < len(clients) for count in seen)
    streams.close()


async def test_how_many_watch_what_is_told(streams: Streams) -> None:
    first, _ = opened(streams, "a", "b")
    opened(streams, "a")
    assert streams.watching(10) == {uri("a"): 2, uri("b"): 1}
    assert len(streams.watching(1)) == 1
    first.end(Ending.SESSION)
    assert streams.watching(10) == {uri("a"): 1}
