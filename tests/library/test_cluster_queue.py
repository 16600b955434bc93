"""Exactly as many messages wait as may, and a host that starts waits long enough."""

from __future__ import annotations

from pathlib import Path

from choirbook.catalog.changeset import Document
from choirbook.library.cluster import HOLD_S, JOINED_S, MAX_WAITING
from choirbook.library.debounce import QUIET_S
from choirbook.model import SourceEntry, Version
from choirbook.redis.messages import DocumentsChanged
from tests.library.test_cluster_agreement import Host, host
from tests.support.redis import RedisServer
from tests.support.waiting import eventually


def change(one: Host, count: int) -> None:
    """Change so many documents one after the other; nothing is told meanwhile."""
    for number in range(count):
        entry = SourceEntry(f"{count}-{number}.md", Version("1.7.7.7"), 1, 1)
        one.served.library.catalog.apply([(entry.path, Document(entry, "text/markdown", "One", ""))])


def edits(one: Host) -> list[DocumentsChanged]:
    return [news for news in one.listen() if isinstance(news, DocumentsChanged)]


async def test_as_many_messages_as_may_wait_are_told_each(library: Path, redis_server: RedisServer) -> None:
    async with host(library, redis_server) as one:
        change(one, MAX_WAITING)
        await eventually(lambda: len(edits(one)) == MAX_WAITING)
        assert DocumentsChanged(None) not in edits(one)


async def test_one_message_more_is_told_with_them_as_any_change(
    library: Path, redis_server: RedisServer
) -> None:
    async with host(library, redis_server) as one:
        change(one, MAX_WAITING + 1)
        await eventually(lambda: edits(one))
        assert edits(one) == [DocumentsChanged(None)]


def test_host_that_starts_waits_longer_than_a_change_takes_to_be_whole_and_made() -> None:
    assert JOINED_S > QUIET_S + HOLD_S
