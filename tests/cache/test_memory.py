from collections import OrderedDict
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from carrel.cache.memory import ENTRY_OVERHEAD_BYTES, MemoryCache
from carrel.model import Form, Representation, Version
from tests.support.waiting import eventually_sync

ONE, TWO = Version("1"), Version("2")
RAW, JSON = Form.RAW, Form.JSON
AGES_S = 3600.0


def bytes_of(size: int) -> Representation:
    return Representation(b"x" * size, '"e"', [], "d", [])


def cache(
    max_resources: int = 10, max_bytes: int = 100_000, ttl_s: float = AGES_S, last_good_s: float = AGES_S
) -> MemoryCache:
    return MemoryCache(max_resources, max_bytes, ttl_s, last_good_s)


def test_what_was_put_is_returned_for_exactly_its_key() -> None:
    held, found = cache(), bytes_of(1)
    held.put("a", ONE, RAW, found)
    assert held.get("a", ONE, RAW, monotonic()) is found
    assert held.get("a", TWO, RAW, monotonic()) is None
    assert held.get("a", ONE, JSON, monotonic()) is None
    assert held.get("b", ONE, RAW, monotonic()) is None


def test_an_older_version_stays_as_the_last_good_content_until_the_new_one_is_there() -> None:
    held, old, new = cache(), bytes_of(1), bytes_of(2)
    held.put("a", ONE, RAW, old)
    assert held.get("a", TWO, RAW, monotonic()) is None
    assert held.last_good("a", RAW) is old
    held.put("a", TWO, RAW, new)
    assert held.get("a", ONE, RAW, monotonic()) is None
    assert held.last_good("a", RAW) is new
    assert held.size_bytes == 2 + ENTRY_OVERHEAD_BYTES


def test_an_entry_is_loaded_again_after_its_time_to_live() -> None:
    held = cache(ttl_s=0.02)
    held.put("a", ONE, RAW, bytes_of(1))
    eventually_sync(lambda: held.get("a", ONE, RAW, monotonic()) is None)
    assert held.last_good("a", RAW) is not None
    held.put("a", ONE, RAW, bytes_of(1))
    assert held.get("a", ONE, RAW, monotonic()) is not None


def test_the_last_good_content_is_served_for_a_limited_time_from_the_first_failure() -> None:
    held = cache(last_good_s=0.02)
    held.put("a", ONE, RAW, bytes_of(1))
    assert held.last_good("a", RAW) is not None
    eventually_sync(lambda: held.last_good("a", RAW) is None)
    held.put("a", ONE, RAW, bytes_of(1))
    assert held.last_good("a", RAW) is not None, "a load that succeeds ends the failing"


def test_there_is_no_last_good_content_of_what_was_never_read() -> None:
    held = cache()
    held.put("a", ONE, RAW, bytes_of(1))
    assert held.last_good("a", JSON) is None
    assert held.last_good("b", RAW) is None


def test_the_least_recently_used_resource_goes_first() -> None:
    held = cache(max_resources=2)
    for uri in "ab":
        held.put(uri, ONE, RAW, bytes_of(1))
    assert held.get("a", ONE, RAW, monotonic())
    held.put("c", ONE, RAW, bytes_of(1))
    assert held.get("b", ONE, RAW, monotonic()) is None
    assert held.get("a", ONE, RAW, monotonic())
    assert held.get("c", ONE, RAW, monotonic())
    assert held.evictions == 1


def test_a_resource_counts_once_whatever_its_forms() -> None:
    held = cache(max_resources=1)
    for form in Form:
        held.put("a", ONE, form, bytes_of(1))
    assert len(held) == 1
    assert all(held.get("a", ONE, form, monotonic()) for form in Form)


def test_what_is_larger_than_the_whole_budget_is_not_kept() -> None:
    held = cache(max_bytes=5000)
    held.put("b", ONE, RAW, bytes_of(1))
    held.put("a", ONE, RAW, bytes_of(5000))
    assert held.get("a", ONE, RAW, monotonic()) is None
    assert held.get("b", ONE, RAW, monotonic()) is not None
    assert (len(held), held.size_bytes, held.evictions) == (1, 1 + ENTRY_OVERHEAD_BYTES, 0)


def test_a_resource_that_grew_beyond_the_budget_leaves_nothing_behind() -> None:
    held = cache(max_bytes=5000)
    held.put("a", ONE, RAW, bytes_of(1))
    held.put("a", TWO, RAW, bytes_of(5000))
    assert (len(held), held.size_bytes) == (0, 0)


def test_discarding_drops_all_forms_and_the_last_good_content() -> None:
    held = cache()
    held.put("a", ONE, RAW, bytes_of(1))
    held.put("a", ONE, JSON, bytes_of(1))
    held.discard("a")
    held.discard("never")
    assert held.last_good("a", RAW) is None
    assert (len(held), held.size_bytes) == (0, 0)


def test_clearing_drops_everything() -> None:
    held = cache()
    held.put("a", ONE, RAW, bytes_of(1))
    held.clear()
    assert (len(held), held.size_bytes) == (0, 0)


puts = st.tuples(st.integers(0, 30), st.sampled_from([RAW, JSON]), st.integers(0, 4000))


@given(st.integers(1, 8), st.integers(2000, 20_000), st.lists(puts, max_size=60))
def test_the_bounds_hold_whatever_is_put(
    max_resources: int, max_bytes: int, wanted: list[tuple[int, Form, int]]
) -> None:
    held = cache(max_resources=max_resources, max_bytes=max_bytes)
    for number, form, size in wanted:
        held.put(f"mcp://resources/{number}", ONE, form, bytes_of(size))
        assert len(held) <= max_resources
        assert 0 <= held.size_bytes <= max_bytes


class AgainstAModel(RuleBasedStateMachine):
    """The cache does what a plain ordered dictionary with the same bounds does."""

    MAX_RESOURCES = 3
    MAX_BYTES = 8000

    def __init__(self) -> None:
        super().__init__()
        self.held = cache(max_resources=self.MAX_RESOURCES, max_bytes=self.MAX_BYTES)
        self.model: OrderedDict[str, dict[Form, tuple[Version, Representation]]] = OrderedDict()

    uris = st.sampled_from("abcde")
    versions = st.sampled_from([ONE, TWO])
    forms = st.sampled_from([RAW, JSON])

    @rule(uri=uris, version=versions, form=forms, size=st.integers(0, 9000))
    def put(self, uri: str, version: Version, form: Form, size: int) -> None:
        found = bytes_of(size)
        self.held.put(uri, version, form, found)
        forms = self.model.get(uri, {})
        forms.pop(form, None)
        if size + ENTRY_OVERHEAD_BYTES <= self.MAX_BYTES:
            forms[form] = (version, found)
            self.model[uri] = forms
            self.model.move_to_end(uri)
        elif not forms:
            self.model.pop(uri, None)
        while self.charge() > self.MAX_BYTES or len(self.model) > self.MAX_RESOURCES:
            self.model.popitem(last=False)

    @rule(uri=uris, version=versions, form=forms)
    def get(self, uri: str, version: Version, form: Form) -> None:
        expected = self.model.get(uri, {}).get(form)
        if expected is None or expected[0] != version:
            assert self.held.get(uri, version, form, monotonic()) is None
        else:
            assert self.held.get(uri, version, form, monotonic()) is expected[1]
            self.model.move_to_end(uri)

    @rule(uri=uris)
    def discard(self, uri: str) -> None:
        self.held.discard(uri)
        self.model.pop(uri, None)

    def charge(self) -> int:
        kept = [found for forms in self.model.values() for _, found in forms.values()]
        return sum(len(found.body) + ENTRY_OVERHEAD_BYTES for found in kept)

    @invariant()
    def the_same_is_charged(self) -> None:
        assert self.held.size_bytes == self.charge()
        assert len(self.held) == len(self.model)


TestAgainstAModel = AgainstAModel.TestCase


@pytest.mark.parametrize("number", [10_000])
def test_invented_uris_hold_no_memory(number: int) -> None:
    held = cache()
    for index in range(number):
        assert held.get(f"mcp://resources/{index}", ONE, RAW, monotonic()) is None
        assert held.last_good(f"mcp://resources/{index}", RAW) is None
    assert (len(held), held.size_bytes) == (0, 0)
