import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from choirbook.usage.clients import Client
from choirbook.usage.ledger import MAX_QUERY_CHARACTERS, UsageLedger
from choirbook.usage.records import ResourceUsage
from choirbook.usage.reports import open_to_read
from tests.support.waiting import eventually_sync

A = "mcp://resources/a"
CURL = Client("curl", "8")


@pytest.fixture
def ledger(path: Path) -> Iterator[UsageLedger]:
    ledger = UsageLedger(path, is_kept=True, counts_clients=True)
    yield ledger
    ledger.close()


def kept(path: Path) -> dict[str, int]:
    store = open_to_read(path)
    try:
        return {each.uri: each.reads for each in store.resources()}
    finally:
        store.close()


def test_what_is_noted_gets_into_the_file_by_itself(ledger: UsageLedger, path: Path) -> None:
    ledger.start()
    ledger.start()
    ledger.note(A, 3, 1.0, CURL)
    eventually_sync(lambda: path.exists() and path.stat().st_size and kept(path) == {A: 3})
    ledger.note(A, 2, 2.0, CURL)
    eventually_sync(lambda: kept(path) == {A: 5})
    assert sum(thread.name == "choirbook-usage" for thread in threading.enumerate()) == 1


def test_what_was_noted_is_told_at_once(ledger: UsageLedger) -> None:
    ledger.note(A, 3, 1.0, CURL)
    ledger.note_empty_search("no such words")
    assert ledger.resources() == [ResourceUsage(A, 3, 1.0, is_served=False)]
    assert [(each.name, each.reads) for each in ledger.clients()] == [("curl", 3)]
    assert [(each.name, each.uri) for each in ledger.loaded()] == [("curl", A)]
    assert [each.query for each in ledger.empty_searches()] == ["no such words"]


def test_nothing_is_lost_at_the_end(ledger: UsageLedger, path: Path) -> None:
    ledger.start()
    ledger.note(A, 3, 1.0)
    ledger.close()
    assert kept(path) == {A: 3}
    ledger.start()
    ledger.note(A, 1, 2.0)
    ledger.close()
    assert kept(path) == {A: 4}


def test_who_reads_and_searches_is_kept_only_where_that_is_wanted(path: Path) -> None:
    ledger = UsageLedger(path)
    ledger.note(A, 1, 1.0, CURL)
    ledger.note_empty_search("private words")
    assert ledger.resources() == [ResourceUsage(A, 1, 1.0, is_served=False)]
    assert [*ledger.clients(), *ledger.loaded(), *ledger.empty_searches()] == []
    ledger.close()
    assert b"private" not in path.read_bytes()


def test_a_query_is_shortened_and_printable(ledger: UsageLedger) -> None:
    ledger.note_empty_search("a\x1b[2J\n" + "word " * 100)
    (found,) = ledger.empty_searches()
    assert found.query.isprintable()
    assert len(found.query) == MAX_QUERY_CHARACTERS


def test_documents_come_and_go(ledger: UsageLedger) -> None:
    ledger.note_library((A, "mcp://resources/b"))
    ledger.note_change(("mcp://resources/c",), (A,))
    assert [each.uri for each in ledger.resources()] == ["mcp://resources/b", "mcp://resources/c"]


def test_a_file_that_cannot_be_used_is_told_once_and_nothing_is_lost(
    ledger: UsageLedger, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "choirbook.usage")
    path.mkdir()
    for _ in range(3):
        ledger.note(A, 1, 1.0, CURL)
        assert ledger.resources() == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    path.rmdir()
    assert ledger.resources() == [ResourceUsage(A, 3, 1.0, is_served=False)]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_file_that_was_taken_away_is_made_anew(ledger: UsageLedger, path: Path) -> None:
    ledger.note(A, 1, 1.0)
    ledger.resources()
    for each in path.parent.iterdir():
        each.unlink()
    ledger.note(A, 2, 2.0)
    assert ledger.resources() == [ResourceUsage(A, 2, 2.0, is_served=False)]
    assert kept(path) == {A: 2}


def test_a_file_that_another_holds_holds_no_note_up(
    ledger: UsageLedger, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.start()
    ledger.note(A, 1, 1.0)
    ledger.resources()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin exclusive")
        ledger.note(A, 1, 2.0)
        ledger.note_empty_search("words")
        other.execute("rollback")
    assert caplog.records == []
    assert ledger.resources() == [ResourceUsage(A, 2, 2.0, is_served=False)]
