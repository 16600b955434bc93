import time

import pytest

from choirbook.dashboard.readership import SHOWN, SHOWN_OF_CLIENT, Readership, summary_of
from choirbook.runtime.threads import Threads
from choirbook.usage.clients import Client
from choirbook.usage.ledger import UsageLedger
from choirbook.usage.records import ResourceUsage

CORE = "mcp://resources/sdlc/core"
AGENT = Client("agent", "1.0")


def usage(uri: str, reads: int, *, is_served: bool = True) -> ResourceUsage:
    return ResourceUsage(uri, reads, 1.0 if reads else None, is_served)


def test_documents_are_read_or_never_read_and_those_that_are_gone_are_neither() -> None:
    resources = [usage("a", 1), usage("b", 0), usage("c", 5), usage("gone", 9, is_served=False)]
    told = summary_of(resources, [], [], counts_clients=False)
    assert [each.uri for each in told.most_read] == ["c", "a"]
    assert (told.never_read, told.never_read_count, told.documents) == (["b"], 1, 3)


def test_lists_are_bounded_and_their_numbers_are_not() -> None:
    resources = [usage(f"{number:04}", number % 2) for number in range(1000)]
    told = summary_of(resources, [], [], counts_clients=False)
    assert len(told.most_read) == len(told.never_read) == SHOWN
    assert (told.never_read_count, told.documents) == (500, 1000)


@pytest.fixture
def threads() -> Threads:
    return Threads(1)


async def test_clients_are_told_with_what_they_read_most(threads: Threads) -> None:
    ledger = UsageLedger(counts_clients=True)
    uris = tuple(f"mcp://resources/files/{number:03}" for number in range(SHOWN_OF_CLIENT + 5))
    ledger.note_library(uris)
    for number, uri in enumerate(uris):
        ledger.note(uri, number + 1, time.time(), AGENT)
    ledger.note_empty_search("nothing like it")
    told = await Readership(ledger, threads).summary()
    (client,) = told.clients
    assert (client.name, client.version, client.documents) == ("agent", "1.0", len(uris))
    assert client.loaded[0] == (uris[-1], len(uris))
    assert len(client.loaded) == SHOWN_OF_CLIENT
    assert [each.query for each in told.empty_searches] == ["nothing like it"]
    threads.close()


async def test_who_reads_is_not_told_where_it_is_not_kept(threads: Threads) -> None:
    ledger = UsageLedger()
    ledger.note_library((CORE,))
    ledger.note(CORE, 3, 5.0, AGENT)
    readership = Readership(ledger, threads)
    told = await readership.summary()
    assert (told.counts_clients, told.clients, told.empty_searches) == (False, [], [])
    of_core = await readership.of(CORE)
    assert of_core is not None
    assert (of_core.reads, of_core.last_read_s) == (3, 5.0)
    assert await readership.of("mcp://resources/nothing") is None
    threads.close()


async def test_all_who_look_at_once_share_one_reading(threads: Threads) -> None:
    ledger = UsageLedger()
    ledger.note_library((CORE,))
    readership = Readership(ledger, threads)
    assert await readership.summary() is await readership.summary()
    threads.close()
