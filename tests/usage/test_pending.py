from choirbook.usage.clients import MAX_CLIENTS, OTHER, Client
from choirbook.usage.pending import MAX_SEARCHES, PendingUsage

URI, OTHER_URI = "mcp://resources/a", "mcp://resources/b"
CURL = Client("curl", "8")


def test_notes_of_one_document_add_up_and_the_last_time_stays() -> None:
    pending = PendingUsage()
    pending.note(URI, 2, 20.0, CURL)
    pending.note(URI, 3, 10.0, CURL)
    tally = pending.resources[URI]
    assert (tally.count, tally.last_s) == (5, 20.0)
    assert pending.loaded[CURL, URI].count == 5


def test_without_a_client_only_documents_are_counted() -> None:
    pending = PendingUsage()
    pending.note(URI, 1, 1.0, None)
    assert pending.resources
    assert not pending.loaded


def test_invented_clients_end_as_others_and_no_read_is_lost() -> None:
    pending = PendingUsage()
    for number in range(MAX_CLIENTS + 50):
        pending.note(URI, 1, 1.0, Client(f"invented-{number}"))
    assert pending.loaded[OTHER, URI].count == 50
    assert sum(tally.count for tally in pending.loaded.values()) == MAX_CLIENTS + 50
    assert len(pending.loaded) == MAX_CLIENTS + 1


def test_invented_searches_are_bounded() -> None:
    pending = PendingUsage()
    for number in range(MAX_SEARCHES + 50):
        pending.note_search(f"word-{number}", 1, 1.0)
    pending.note_search("word-0", 1, 2.0)
    assert len(pending.searches) == MAX_SEARCHES
    assert pending.searches["word-0"].count == 2


def test_what_was_noted_later_is_added() -> None:
    first, later = PendingUsage(), PendingUsage()
    first.note(URI, 1, 1.0, CURL)
    first.note_library((URI,))
    later.note(URI, 2, 2.0, CURL)
    later.note(OTHER_URI, 1, 3.0, None)
    later.note_search("words", 1, 4.0)
    later.note_change((OTHER_URI,), (URI,))
    first.add(later)
    assert (first.resources[URI].count, first.loaded[CURL, URI].count) == (3, 3)
    assert first.resources[OTHER_URI].last_s == 3.0
    assert first.searches["words"].count == 1
    assert first.library == (URI,)
    assert first.served == {OTHER_URI: True, URI: False}


def test_the_whole_library_outdates_the_changes_before_it() -> None:
    first, later = PendingUsage(), PendingUsage()
    first.note_change((URI,), ())
    later.note_library((OTHER_URI,))
    first.add(later)
    assert first.library == (OTHER_URI,)
    assert first.served == {}


def test_nothing_noted_is_nothing_to_write() -> None:
    pending = PendingUsage()
    assert not pending
    pending.note_library(())
    assert pending
