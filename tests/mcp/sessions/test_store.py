import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from choirbook.errors import InvalidParams, Overloaded, QuotaExceeded, SessionNotFound, StreamTaken
from choirbook.mcp.sessions.store import IN_MEMORY, SESSION_BYTES, STORE_BYTES, SessionStore

MOST, MOST_SUBSCRIPTIONS = 3, 2
URI = "mcp://resources/sdlc/core"


@pytest.fixture(params=["memory", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return IN_MEMORY if request.param == "memory" else tmp_path / "sessions.sqlite"


@pytest.fixture
def store(place: Path | str) -> Iterator[SessionStore]:
    store = SessionStore(place, MOST, MOST_SUBSCRIPTIONS)
    yield store
    store.close()


def always(_: str) -> bool:
    return True


def never(_: str) -> bool:
    return False


def test_a_session_is_there_from_its_begin_to_its_end(store: SessionStore) -> None:
    assert store.begin("a", 1.0) == []
    assert store.touch(["a", "b"], 2.0) == ["b"]
    assert store.end("a")
    assert not store.end("a")
    assert store.touch(["a"], 3.0) == ["a"]


def test_the_session_used_longest_ago_ends_for_one_too_many(store: SessionStore) -> None:
    for now_s, id_ in enumerate("abc"):
        store.begin(id_, float(now_s))
    store.touch(["a"], 5.0)
    assert store.begin("d", 6.0) == ["b"]
    assert store.count() == MOST


def test_a_session_that_somebody_listens_to_is_the_last_to_end(store: SessionStore) -> None:
    for now_s, id_ in enumerate("abc"):
        store.begin(id_, float(now_s))
    store.claim("a", "worker", never)
    assert store.begin("d", 6.0) == ["b"]
    store.release("a", "worker", 0.0)
    assert store.begin("e", 7.0) == ["a"]


def test_a_new_session_never_ends_for_itself(store: SessionStore) -> None:
    for id_ in "abc":
        store.begin(id_, 9.0)
        store.claim(id_, "worker", never)
    (ended,) = store.begin("d", 0.0)
    assert ended in "abc"


def test_idle_sessions_expire(store: SessionStore) -> None:
    store.begin("old", 1.0)
    store.begin("new", 2.0)
    assert store.expire(2.0) == ["old"]
    assert store.touch(["old", "new"], 3.0) == ["old"]


def test_subscriptions_are_those_added_and_not_taken_back(store: SessionStore) -> None:
    store.begin("a", 1.0)
    for uri in (URI, "x", URI):
        assert store.subscribe("a", uri) is None
    store.unsubscribe("a", "x")
    store.unsubscribe("a", "never there")
    assert store.subscriptions("a") == [URI]


def test_one_subscription_too_many_is_refused_and_not_kept(store: SessionStore) -> None:
    store.begin("a", 1.0)
    for number in range(MOST_SUBSCRIPTIONS):
        store.subscribe("a", str(number))
    store.subscribe("a", "0")
    with pytest.raises(InvalidParams, match="Unsubscribe"):
        store.subscribe("a", "more")
    assert sorted(store.subscriptions("a") or []) == ["0", "1"]


def test_nothing_is_kept_of_a_session_that_ended(store: SessionStore) -> None:
    store.begin("a", 1.0)
    store.subscribe("a", URI)
    store.end("a")
    assert store.subscriptions("a") is None
    for use in (store.subscribe, store.unsubscribe):
        with pytest.raises(SessionNotFound):
            use("a", URI)
    with pytest.raises(SessionNotFound):
        store.claim("a", "worker", never)
    store.begin("a", 2.0)
    assert store.subscriptions("a") == []


def test_a_stream_has_one_holder_who_is_told_of_subscriptions(store: SessionStore) -> None:
    store.begin("a", 1.0)
    store.claim("a", "one", never)
    assert store.subscribe("a", URI) == "one"
    with pytest.raises(StreamTaken):
        store.claim("a", "other", always)
    store.release("a", "other", 2.0)
    assert store.unsubscribe("a", URI) == "one"
    store.release("a", "one", 2.0)
    store.claim("a", "other", always)


def test_a_holder_that_is_gone_is_replaced(store: SessionStore) -> None:
    store.begin("a", 1.0)
    store.claim("a", "gone", never)
    store.claim("a", "next", never)
    assert store.subscribe("a", URI) == "next"


def test_workers_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    each, workers = 50, 4

    def begin(worker: int) -> None:
        store = SessionStore(tmp_path / "shared.sqlite", 10_000, 10)
        for number in range(each):
            store.begin(f"{worker}-{number}", float(number))
            store.subscribe(f"{worker}-{number}", URI)
        store.close()

    threads = [threading.Thread(target=begin, args=(worker,)) for worker in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = SessionStore(tmp_path / "shared.sqlite", 10_000, 10)
    assert store.count() == each * workers
    assert all(store.subscriptions(f"{worker}-{each - 1}") == [URI] for worker in range(workers))
    store.close()


@pytest.fixture
def shared_out(place: Path | str) -> Iterator[SessionStore]:
    store = SessionStore(place, 8, 1000, 0.25)
    yield store
    store.close()


def test_a_peer_with_its_share_of_sessions_ends_its_own_oldest(shared_out: SessionStore) -> None:
    shared_out.begin("other", 0.0, peer="other")
    assert [shared_out.begin(id_, now_s, peer="greedy") for now_s, id_ in enumerate("abcd")] == [
        [],
        [],
        ["a"],
        ["b"],
    ]
    assert shared_out.holding("greedy").sessions == 2
    assert (shared_out.refused, shared_out.peers_at_limit()) == (2, 1)
    assert shared_out.touch(["other"], 9.0) == []


def test_a_full_ledger_ends_the_sessions_of_who_has_most(shared_out: SessionStore) -> None:
    shared_out.begin("old", 0.0, peer="modest")
    for number in range(7):
        shared_out.begin(f"local {number}", 1.0 + number)
    assert shared_out.begin("new", 9.0, peer="late") == ["local 0"]
    assert shared_out.touch(["old"], 9.0) == []


def test_what_peers_hold_is_forgotten_with_their_sessions(shared_out: SessionStore) -> None:
    for id_, peer in (("a", "one"), ("b", "one"), ("c", "two")):
        shared_out.begin(id_, 1.0, peer=peer)
        shared_out.subscribe(id_, URI)
        shared_out.subscribe(id_, "x")
        shared_out.unsubscribe(id_, "x")
        shared_out.subscribe(id_, URI)
    assert shared_out.holding().sessions == 3
    shared_out.end("a")
    assert shared_out.holding("one") == shared_out.holding("two")
    shared_out.expire(2.0)
    assert (shared_out.holding("one"), shared_out.holding("two"), shared_out.holding()) == ((0, 0),) * 3


def test_the_bytes_of_a_sessions_subscriptions_are_bounded(shared_out: SessionStore) -> None:
    shared_out.begin("a", 1.0)
    long = [f"{URI}?section={number:04}{'x' * 2000}" for number in range(1000)]

    def subscribe() -> None:
        for uri in long:
            shared_out.subscribe("a", uri)

    with pytest.raises(InvalidParams, match="bytes"):
        subscribe()
    kept = shared_out.subscriptions("a") or []
    assert sum(map(len, kept)) <= SESSION_BYTES
    assert shared_out.holding().bytes <= SESSION_BYTES
    shared_out.unsubscribe("a", kept[0])
    shared_out.subscribe("a", long[-1])


@pytest.mark.parametrize(("peer", "error", "part"), [("greedy", QuotaExceeded, 0.25), ("", Overloaded, 1.0)])
def test_the_bytes_of_a_peer_and_of_all_are_bounded(
    tmp_path: Path, peer: str, error: type[Exception], part: float
) -> None:
    """28,800 subscriptions to invented sections once took 134 MB."""
    file = tmp_path / "sessions.sqlite"
    store = SessionStore(file, 1000, 1000, 0.25)

    def subscribe() -> None:
        for number in range(28_800):
            session = f"session {number // 100}"
            if number % 100 == 0:
                store.begin(session, 1.0, peer=peer)
            store.subscribe(session, f"{URI}?section={number:05}{'x' * 1900}")

    with pytest.raises(error):
        subscribe()
    assert store.holding().bytes <= part * STORE_BYTES
    store.begin("modest", 2.0, peer="modest")
    if peer:
        store.subscribe("modest", URI)
    store.close()
    assert file.stat().st_size <= 2.5 * part * STORE_BYTES
