import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from choirbook.usage.clients import MAX_CLIENTS, Client
from choirbook.usage.pending import MAX_SEARCHES, PendingUsage
from choirbook.usage.records import ClientDocumentUsage, ClientUsage, EmptySearch, ResourceUsage
from choirbook.usage.schema import IN_MEMORY
from choirbook.usage.store import UsageStore

A, B = "mcp://resources/a", "mcp://resources/b"
CURL, CLAUDE = Client("curl", "8"), Client("claude-code", "2.1")


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, path: Path) -> Iterator[UsageStore]:
    store = UsageStore(IN_MEMORY if request.param == "memory" else path)
    yield store
    store.close()


def noted(*reads: tuple[str, int, float, Client | None]) -> PendingUsage:
    pending = PendingUsage()
    for read in reads:
        pending.note(*read)
    return pending


def test_what_was_written_is_told(store: UsageStore) -> None:
    store.write(noted((A, 2, 10.0, CURL), (B, 1, 11.0, CURL), (A, 1, 12.0, CLAUDE)))
    store.write(noted((A, 4, 9.0, CURL)))
    assert store.resources() == [
        ResourceUsage(A, 7, 12.0, is_served=False),
        ResourceUsage(B, 1, 11.0, is_served=False),
    ]
    assert store.clients() == [ClientUsage("curl", "8", 7, 11.0), ClientUsage("claude-code", "2.1", 1, 12.0)]
    assert store.loaded() == [
        ClientDocumentUsage("claude-code", "2.1", A, 1, 12.0),
        ClientDocumentUsage("curl", "8", A, 6, 10.0),
        ClientDocumentUsage("curl", "8", B, 1, 11.0),
    ]


def test_documents_nobody_read_are_told_as_long_as_they_are_served(store: UsageStore) -> None:
    pending = noted((A, 1, 1.0, None))
    pending.note_library((A, B))
    store.write(pending)
    assert store.resources() == [
        ResourceUsage(A, 1, 1.0, is_served=True),
        ResourceUsage(B, 0, None, is_served=True),
    ]

    change = PendingUsage()
    change.note_change(("mcp://resources/c",), (A, B))
    store.write(change)
    assert store.resources() == [
        ResourceUsage(A, 1, 1.0, is_served=False),
        ResourceUsage("mcp://resources/c", 0, None, is_served=True),
    ]

    again = PendingUsage()
    again.note_library((A,))
    store.write(again)
    assert store.resources() == [ResourceUsage(A, 1, 1.0, is_served=True)]


def test_clients_beyond_the_bound_are_others_and_no_read_is_lost(store: UsageStore) -> None:
    store.write(noted(*((A, 1, 1.0, Client(f"first-{number}")) for number in range(MAX_CLIENTS))))
    store.write(noted(*((A, 1, 2.0, Client(f"then-{number}")) for number in range(7)), (A, 1, 3.0, CURL)))
    store.write(noted((A, 1, 4.0, Client("first-3"))))
    by_name = {client.name: client.reads for client in store.clients()}
    assert len(by_name) == MAX_CLIENTS + 1
    assert by_name["other"] == 8
    assert by_name["first-3"] == 2
    assert sum(by_name.values()) == store.resources()[0].reads == MAX_CLIENTS + 9


def test_pairs_beyond_the_bound_still_count_for_client_and_document() -> None:
    store = UsageStore(IN_MEMORY, max_pairs=2)
    store.write(noted((A, 1, 1.0, CURL)))
    store.write(noted((A, 1, 2.0, CURL), (B, 1, 2.0, CURL), (A, 1, 2.0, CLAUDE), (B, 1, 2.0, CLAUDE)))
    assert store.loaded()[-1] == ClientDocumentUsage("curl", "8", B, 1, 2.0)
    assert [(each.uri, each.reads) for each in store.loaded()] == [(A, 2), (B, 1)]
    assert sum(each.reads for each in store.clients()) == 5
    assert sum(each.reads for each in store.resources()) == 5
    store.close()


def test_searches_without_a_result_are_counted_and_the_oldest_go_first(store: UsageStore) -> None:
    first = PendingUsage()
    first.note_search("old", 9, 1.0)
    store.write(first)
    for start in range(0, MAX_SEARCHES, MAX_SEARCHES // 2):
        more = PendingUsage()
        for number in range(start, start + MAX_SEARCHES // 2):
            more.note_search(f"word {number}", 1, 2.0)
        more.note_search("often", 1, 3.0)
        store.write(more)
    found = store.empty_searches()
    assert found[0] == EmptySearch("often", 2, 3.0)
    assert len(found) == MAX_SEARCHES
    assert "old" not in {search.query for search in found}


def test_a_write_that_fails_leaves_nothing_behind(path: Path) -> None:
    store = UsageStore(path)
    store.write(noted((A, 1, 1.0, CURL)))
    with sqlite3.connect(path) as breaking:
        breaking.execute("create trigger broken before insert on client begin select raise(abort, 'no'); end")
    breaking.close()
    with pytest.raises(sqlite3.Error):
        store.write(noted((A, 5, 2.0, CLAUDE)))
    assert store.resources() == [ResourceUsage(A, 1, 1.0, is_served=False)]
    store.close()


def test_all_workers_may_open_and_write_at_once(path: Path) -> None:
    with ProcessPoolExecutor(4, get_context("spawn")) as workers:
        list(workers.map(_write_ten, [path] * 8))
    store = UsageStore(path)
    assert store.resources() == [ResourceUsage(A, 80, 10.0, is_served=False)]
    assert store.clients() == [ClientUsage("curl", "8", 80, 10.0)]
    store.close()


def _write_ten(path: Path) -> None:
    store = UsageStore(path)
    for number in range(10):
        store.write(noted((A, 1, number + 1.0, CURL)))
    store.close()


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    store = UsageStore(path, is_kept=True)
    store.write(noted((A, 1, 1.0, CURL)))
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}
    store.close()
    assert [each.name for each in path.parent.iterdir()] == ["usage.sqlite"]


def test_a_file_that_was_moved_away_is_noticed(path: Path) -> None:
    store = UsageStore(path)
    seen = [store.is_there]
    path.rename(path.with_name("moved"))
    seen.append(store.is_there)
    UsageStore(path).close()
    seen.append(store.is_there)
    store.close()
    assert seen == [True, False, False]
