"""Looks at connections that go on by themselves, and what they count.

Each test runs its own loop: counting descriptors asks the system, which never waits, and the guard against
blocking calls does not know that.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from choirbook.runtime.quotas import QuotaKind, Quotas, peer_key
from choirbook.servers.connection_limits import LOOK_S, ConnectionLimits, OpenConnection, silence_ms
from choirbook.servers.descriptors import Descriptor
from tests.servers.test_connection_limits import GREEDY, LOCAL, Pairs, fill, is_open, pairs
from tests.support.waiting import eventually, never

__all__ = ["pairs"]


@asynccontextmanager
async def looking(pairs: Pairs, total: int, unread: int) -> AsyncIterator[Quotas]:
    quotas = Quotas(0.25, {QuotaKind.CONNECTIONS: total, QuotaKind.UNREAD: unread})
    limits = ConnectionLimits(pairs.port, total, quotas, peer_key)
    limits.start()
    try:
        yield quotas
    finally:
        limits.stop()


def test_connections_that_read_nothing_are_counted_when_they_are_closed(pairs: Pairs) -> None:
    ends = [pairs.connect(GREEDY) for _ in range(4)]
    for _, served in ends:
        fill(served)

    async def look() -> None:
        async with looking(pairs, 1000, unread=8) as quotas:
            await eventually(lambda: quotas[QuotaKind.UNREAD].refused == 2)
            assert quotas[QuotaKind.UNREAD].full == 1
            assert (quotas[QuotaKind.CONNECTIONS].refused, quotas[QuotaKind.CONNECTIONS].full) == (0, 0)

    asyncio.run(look())


def test_connections_over_the_share_are_counted_when_they_are_closed(pairs: Pairs) -> None:
    clients = [pairs.connect(GREEDY)[0] for _ in range(5)]

    async def look() -> None:
        async with looking(pairs, 12, unread=1000) as quotas:
            await eventually(lambda: quotas[QuotaKind.CONNECTIONS].refused == 2)
            assert quotas[QuotaKind.CONNECTIONS].full == 1
            assert quotas[QuotaKind.UNREAD].refused == 0

    asyncio.run(look())
    assert sum(map(is_open, clients)) == 3


def test_nothing_is_counted_or_closed_while_there_are_few_connections(pairs: Pairs) -> None:
    clients = [pairs.connect(address)[0] for address in (GREEDY, GREEDY, LOCAL)]

    async def look() -> None:
        async with looking(pairs, 1_000_000, unread=1_000_000) as quotas:
            await never(
                lambda: any((quotas[kind].refused, quotas[kind].full) != (0, 0) for kind in QuotaKind),
                for_s=3 * LOOK_S,
            )

    asyncio.run(look())
    assert all(map(is_open, clients))


def test_looks_end_when_they_are_stopped(pairs: Pairs) -> None:
    async def look() -> None:
        async with looking(pairs, 1000, unread=8):
            assert len(asyncio.all_tasks()) == 2
        await eventually(lambda: len(asyncio.all_tasks()) == 1)

    asyncio.run(look())


def test_descriptor_that_is_no_connection_any_more_counts_as_heard_just_now() -> None:
    with socket.socket() as closed:
        descriptor = Descriptor(closed.fileno(), os.fstat(closed.fileno()).st_ino)
    assert silence_ms(OpenConnection(descriptor, (GREEDY, 1))) == 0
