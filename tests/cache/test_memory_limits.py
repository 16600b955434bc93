"""The exact bounds of the in-process cache, and what it remembers of failures."""

from __future__ import annotations

from math import inf
from time import monotonic

import pytest

from choirbook.cache.memory import ENTRY_OVERHEAD_BYTES, Bound, MemoryCache
from choirbook.model import Form, Representation, ResourceInfo, Version
from tests.support.waiting import eventually_sync

RAW, JSON = Form.RAW, Form.JSON
LONG_S = 3600.0


def info(uri: str, version: str = "1") -> ResourceInfo:
    return ResourceInfo(uri, uri, "path", "name", "Title", "", "file", "text/plain", 1, 0, Version(version))


def bytes_of(size: int) -> Representation:
    return Representation(b"x" * size, '"e"', [], "d", [])


def cache(max_resources: int = 10, max_bytes: int = 100_000, **times: float) -> MemoryCache:
    return MemoryCache(
        max_resources, max_bytes, **{"ttl_s": LONG_S, "last_good_s": LONG_S, "grace_s": LONG_S, **times}
    )


@pytest.mark.parametrize("excess", [0, 1])
def test_exactly_the_bytes_that_are_allowed_are_kept(excess: int) -> None:
    held = cache(max_bytes=2 * (ENTRY_OVERHEAD_BYTES + 10))
    held.put(info("a"), RAW, bytes_of(10))
    held.put(info("b"), RAW, bytes_of(10 + excess))
    assert len(held) == 2 - excess
    assert held.evictions == ({Bound.BYTES: 1} if excess else {})


@pytest.mark.parametrize("excess", [0, 1])
def test_a_body_of_exactly_the_whole_budget_is_kept(excess: int) -> None:
    held = cache(max_bytes=ENTRY_OVERHEAD_BYTES + 10)
    held.put(info("a"), RAW, bytes_of(10 + excess))
    assert len(held) == 1 - excess


def test_exactly_the_resources_that_are_allowed_are_kept() -> None:
    held = cache(max_resources=2)
    for uri in "ab":
        held.put(info(uri), RAW, bytes_of(1))
    assert (len(held), held.evictions) == (2, {})
    held.put(info("c"), RAW, bytes_of(1))
    assert (len(held), held.evictions) == (2, {Bound.RESOURCES: 1})


def test_there_is_room_for_exactly_what_fits() -> None:
    held = cache(max_resources=2, max_bytes=3 * (ENTRY_OVERHEAD_BYTES + 10))
    held.put(info("a"), RAW, bytes_of(10))
    assert held.has_room("b", [RAW, JSON], 10)
    assert not held.has_room("b", [RAW, JSON], 11)
    assert held.has_room("a", [RAW, JSON, Form.OUTLINE], 10), "what is held of it makes room"
    assert not held.has_room("a", [RAW, JSON, Form.OUTLINE], 11)
    held.put(info("b"), RAW, bytes_of(10))
    assert not held.has_room("c", [RAW], 1), "there are as many resources as are allowed"
    assert held.has_room("b", [JSON], 10)


def test_there_is_room_in_an_empty_cache_for_one_resource() -> None:
    assert cache(max_resources=1).has_room("a", [RAW], 1)
    assert not cache(max_resources=0).has_room("a", [RAW], 1)


def test_a_form_that_is_put_again_is_charged_once() -> None:
    held = cache()
    for size in (10, 2000, 5):
        held.put(info("a"), RAW, bytes_of(size))
        assert held.size_bytes == size + ENTRY_OVERHEAD_BYTES
        assert +held.form_bytes == {RAW: size + ENTRY_OVERHEAD_BYTES}


def test_clearing_resets_what_is_charged_to_forms_and_what_fails() -> None:
    held = cache(ttl_s=0.0)
    held.put(info("a"), RAW, bytes_of(10))
    held.fail("a")
    held.clear()
    assert (held.size_bytes, held.form_bytes) == (0, {})
    held.put_questioned(info("a"), RAW, bytes_of(10))
    held.put_derived(info("a"), JSON, bytes_of(1))
    assert held.last_good("a") is not None


def test_a_failure_ends_with_the_document_that_failed() -> None:
    held = cache(last_good_s=0.02)
    held.put(info("a"), RAW, bytes_of(1))
    held.fail("a")
    eventually_sync(lambda: held.last_good("a") is None)
    held.discard("a")
    held.put_questioned(info("a"), RAW, bytes_of(1))
    assert held.last_good("a") is not None, "what came anew has not failed yet"


def test_an_evicted_document_has_not_failed_when_it_comes_back() -> None:
    held = cache(max_resources=1, last_good_s=0.02)
    held.put(info("a"), RAW, bytes_of(1))
    held.fail("a")
    eventually_sync(lambda: held.last_good("a") is None)
    held.put(info("b"), RAW, bytes_of(1))
    held.put_questioned(info("a"), RAW, bytes_of(1))
    assert held.last_good("a") is not None


def test_the_first_failure_counts_and_not_the_latest() -> None:
    held = cache(last_good_s=0.2)
    held.put(info("a"), RAW, bytes_of(1))
    held.fail("a")

    def failed_again() -> bool:
        held.fail("a")
        return held.last_good("a") is None

    eventually_sync(failed_again)


def test_a_failure_of_what_is_not_held_is_not_kept() -> None:
    held = cache(last_good_s=0.0, ttl_s=0.0)
    held.fail("a")
    held.put_questioned(info("a"), RAW, bytes_of(1))
    held.expire("a")
    held.put(info("a"), RAW, bytes_of(1))
    assert held.expired(info("a"), RAW) is not None


def test_a_limit_of_the_time_to_live_never_makes_it_longer() -> None:
    held, now_s = cache(ttl_s=100.0), monotonic()
    held.put(info("a"), RAW, bytes_of(1))
    held.limit_ttl(LONG_S)
    assert held.get(info("a"), RAW, now_s + 200.0) is None
    held.limit_ttl(1.0)
    assert held.get(info("a"), RAW, now_s + 50.0) is None
    held.limit_ttl(inf)
    assert held.get(info("a"), RAW, now_s + 50.0) is not None


def test_a_hit_is_used_and_moves_to_the_end() -> None:
    held = cache(max_resources=2)
    for uri in "ab":
        held.put(info(uri), RAW, bytes_of(1))
    held.get(info("a"), RAW, monotonic())
    assert [uri for uri, *_ in held.holdings(2)] == ["a", "b"]
    held.put(info("b"), JSON, bytes_of(1))
    assert [uri for uri, *_ in held.holdings(2)] == ["b", "a"]


def test_what_is_known_of_what_is_held_is_told() -> None:
    held = cache()
    held.put(info("a"), RAW, bytes_of(1))
    held.put(info("b", "2"), RAW, bytes_of(1))
    assert held.infos() == [info("a"), info("b", "2")]
    assert (held.info("b"), held.info("c")) == (info("b", "2"), None)


def test_a_derived_form_is_as_young_as_the_youngest() -> None:
    held = cache()
    held.put_questioned(info("a"), RAW, bytes_of(1))
    held.put(info("a"), JSON, bytes_of(1))
    held.put_derived(info("a"), Form.OUTLINE, bytes_of(1))
    assert held.get(info("a"), Form.OUTLINE, monotonic()) is not None
    held.put_derived(info("a", "2"), RAW, bytes_of(1))
    assert held.info("a") == info("a"), "a form of another version is not put in its place"
