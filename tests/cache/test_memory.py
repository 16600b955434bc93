from collections import OrderedDict
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from choirbook.cache.memory import ENTRY_OVERHEAD_BYTES, JITTER, Bound, MemoryCache
from choirbook.model import Form, Representation, ResourceInfo, ServedFrom, Version
from tests.support.waiting import eventually_sync

ONE, TWO = Version("1"), Version("2")
RAW, JSON = Form.RAW, Form.JSON
AGES_S = 3600.0


def info(uri: str, version: Version, title: str = "Title") -> ResourceInfo:
    return ResourceInfo(uri, uri, "path", "name", title, "", "file", "text/plain", 1, 0, version)


def found(held: MemoryCache, wanted: ResourceInfo, form: Form) -> Representation | None:
    reading = held.get(wanted, form, monotonic())
    assert reading is None or (reading.info, reading.served_from) == (wanted, ServedFrom.HIT)
    return None if reading is None else reading.representation


def last_good(held: MemoryCache, uri: str, form: Form) -> Representation | None:
    kept = held.last_good(uri)
    return None if kept is None else kept.forms.get(form)


def bytes_of(size: int) -> Representation:
    return Representation(b"x" * size, '"e"', [], "d", [])


def cache(
    max_resources: int = 10,
    max_bytes: int = 100_000,
    ttl_s: float = AGES_S,
    last_good_s: float = AGES_S,
    grace_s: float = AGES_S,
) -> MemoryCache:
    return MemoryCache(max_resources, max_bytes, ttl_s, last_good_s, grace_s)


def test_what_was_put_is_returned_for_exactly_its_key() -> None:
    held, put = cache(), bytes_of(1)
    held.put(info("a", ONE), RAW, put)
    assert found(held, info("a", ONE), RAW) is put
    assert found(held, info("a", TWO), RAW) is None
    assert found(held, info("a", ONE), JSON) is None
    assert found(held, info("b", ONE), RAW) is None


def test_hits_of_one_entry_are_one_object() -> None:
    held = cache()
    held.put(info("a", ONE), RAW, bytes_of(1))
    hits = [held.get(info("a", ONE), RAW, monotonic()) for _ in range(2)]
    assert hits[0] is hits[1]


def test_what_new_rules_say_of_a_document_makes_its_old_forms_unreachable() -> None:
    held = cache()
    held.put(info("a", ONE, "Old"), JSON, bytes_of(1))
    assert found(held, info("a", ONE, "New"), JSON) is None
    assert last_good(held, "a", JSON) is not None


def test_an_older_version_stays_as_the_last_good_content_until_the_new_one_is_there() -> None:
    held, old, new = cache(), bytes_of(1), bytes_of(2)
    held.put(info("a", ONE), RAW, old)
    assert found(held, info("a", TWO), RAW) is None
    assert last_good(held, "a", RAW) is old
    held.put(info("a", TWO), RAW, new)
    assert found(held, info("a", ONE), RAW) is None
    assert last_good(held, "a", RAW) is new
    assert held.size_bytes == 2 + ENTRY_OVERHEAD_BYTES


def test_the_first_form_of_a_new_version_puts_all_forms_of_the_old_one_out() -> None:
    held, new = cache(), bytes_of(2)
    held.put(info("a", ONE), RAW, bytes_of(1))
    held.put(info("a", ONE), JSON, bytes_of(1))
    held.put(info("a", TWO), JSON, new)
    assert last_good(held, "a", RAW) is None, "a reader who had the new version would go back"
    assert last_good(held, "a", JSON) is new
    assert (len(held), held.size_bytes) == (1, 2 + ENTRY_OVERHEAD_BYTES)


def test_what_is_only_too_old_is_returned_by_expired() -> None:
    held, old = cache(ttl_s=0.02), bytes_of(1)
    held.put(info("a", ONE), RAW, old)
    eventually_sync(lambda: found(held, info("a", ONE), RAW) is None)
    reading = held.expired(info("a", ONE), RAW)
    assert reading is not None
    assert (reading.representation, reading.served_from) == (old, ServedFrom.HIT)
    assert held.expired(info("a", TWO), RAW) is None
    assert held.expired(info("a", ONE), JSON) is None
    assert held.expired(info("b", ONE), RAW) is None


def test_what_was_called_into_question_or_fails_is_not_returned_by_expired() -> None:
    held = cache(ttl_s=0.0)
    for uri in "abc":
        held.put(info(uri, ONE), RAW, bytes_of(1))
    held.expire("a")
    held.fail("b")
    assert [held.expired(info(uri, ONE), RAW) is None for uri in "abc"] == [True, True, False]
    held.put(info("b", ONE), RAW, bytes_of(1))
    assert held.expired(info("b", ONE), RAW) is not None, "a load that succeeds ends the failing"


def test_what_is_too_old_for_long_is_not_returned_by_expired() -> None:
    held = cache(ttl_s=0.01, grace_s=0.01)
    held.put(info("a", ONE), RAW, bytes_of(1))
    eventually_sync(lambda: held.expired(info("a", ONE), RAW) is None)
    assert last_good(held, "a", RAW) is not None


def test_nothing_is_returned_by_expired_while_the_time_to_live_is_limited() -> None:
    held = cache()
    held.put(info("a", ONE), RAW, bytes_of(1))
    held.limit_ttl(0.0)
    assert held.expired(info("a", ONE), RAW) is None
    held.limit_ttl()
    assert held.expired(info("a", ONE), RAW) is not None


def test_entries_put_together_do_not_expire_together() -> None:
    held, now_s = cache(max_resources=1000, max_bytes=10_000_000, ttl_s=AGES_S), monotonic()
    infos = [info(str(number), ONE) for number in range(1000)]
    for each in infos:
        held.put(each, RAW, bytes_of(1))

    def alive(age_s: float) -> int:
        return sum(held.get(each, RAW, now_s + age_s) is not None for each in infos)

    assert alive(AGES_S * (1 - JITTER) - 1) == 1000
    assert 350 < alive(AGES_S * (1 - JITTER / 2)) < 650
    assert alive(AGES_S + 60) == 0


def test_a_form_that_was_made_of_another_is_as_old_as_that() -> None:
    held, derived = cache(), bytes_of(2)
    held.put_derived(info("a", ONE), JSON, derived)
    assert held.last_good("a") is None, "there is nothing that it can be made of"
    held.put(info("a", ONE), RAW, bytes_of(1))
    held.put_derived(info("a", ONE), JSON, derived)
    assert found(held, info("a", ONE), JSON) is derived
    held.expire("a")
    held.put_derived(info("a", ONE), JSON, derived)
    assert found(held, info("a", ONE), JSON) is None


def test_what_loaded_before_it_was_called_into_question_is_the_last_good_content_only() -> None:
    held, new = cache(), bytes_of(2)
    held.put_questioned(info("a", ONE), RAW, new)
    assert found(held, info("a", ONE), RAW) is None
    assert held.expired(info("a", ONE), RAW) is None
    assert last_good(held, "a", RAW) is new
    held.put(info("a", ONE), RAW, bytes_of(1))
    held.put_questioned(info("a", ONE), RAW, new)
    assert found(held, info("a", ONE), RAW) is not new


def test_what_could_be_a_hit_is_young() -> None:
    held = cache()
    assert held.young(info("a", ONE)) is None
    held.put(info("a", ONE), RAW, bytes_of(1))
    kept = held.young(info("a", ONE))
    assert kept is not None
    assert (kept.info, list(kept.forms)) == (info("a", ONE), [RAW])
    assert held.young(info("a", TWO)) is None
    held.expire("a")
    assert held.young(info("a", ONE)) is None


def test_an_entry_is_loaded_again_after_its_time_to_live() -> None:
    held = cache(ttl_s=0.25)  # a busy machine takes less from one line to the next
    held.put(info("a", ONE), RAW, bytes_of(1))
    eventually_sync(lambda: found(held, info("a", ONE), RAW) is None)
    assert last_good(held, "a", RAW) is not None
    held.put(info("a", ONE), RAW, bytes_of(1))
    assert found(held, info("a", ONE), RAW) is not None


def test_the_last_good_content_is_served_for_a_limited_time_from_the_first_failure() -> None:
    held = cache(last_good_s=0.02)
    held.put(info("a", ONE), RAW, bytes_of(1))
    assert last_good(held, "a", RAW) is not None
    eventually_sync(lambda: last_good(held, "a", RAW) is None)
    held.put(info("a", ONE), RAW, bytes_of(1))
    assert last_good(held, "a", RAW) is not None, "a load that succeeds ends the failing"


def test_there_is_no_last_good_content_of_what_was_never_read() -> None:
    held = cache()
    held.put(info("a", ONE), RAW, bytes_of(1))
    assert last_good(held, "a", JSON) is None
    assert last_good(held, "b", RAW) is None


def test_the_least_recently_used_resource_goes_first() -> None:
    held = cache(max_resources=2)
    for uri in "ab":
        held.put(info(uri, ONE), RAW, bytes_of(1))
    assert found(held, info("a", ONE), RAW)
    held.put(info("c", ONE), RAW, bytes_of(1))
    assert found(held, info("b", ONE), RAW) is None
    assert found(held, info("a", ONE), RAW)
    assert found(held, info("c", ONE), RAW)
    assert held.evictions == {Bound.RESOURCES: 1}


def test_bytes_are_charged_to_the_form_they_are_of() -> None:
    held = cache(max_bytes=5000)
    held.put(info("a", ONE), RAW, bytes_of(100))
    held.put(info("a", ONE), Form.JSON, bytes_of(200))
    assert held.form_bytes == {RAW: 100 + ENTRY_OVERHEAD_BYTES, Form.JSON: 200 + ENTRY_OVERHEAD_BYTES}
    held.put(info("b", ONE), RAW, bytes_of(3000))
    assert held.evictions == {Bound.BYTES: 1}
    assert +held.form_bytes == {RAW: 3000 + ENTRY_OVERHEAD_BYTES}
    held.discard("b")
    assert +held.form_bytes == {}


def test_a_resource_counts_once_whatever_its_forms() -> None:
    held = cache(max_resources=1)
    for form in Form:
        held.put(info("a", ONE), form, bytes_of(1))
    assert len(held) == 1
    assert all(found(held, info("a", ONE), form) for form in Form)


def test_what_is_larger_than_the_whole_budget_is_not_kept() -> None:
    held = cache(max_bytes=5000)
    held.put(info("b", ONE), RAW, bytes_of(1))
    held.put(info("a", ONE), RAW, bytes_of(5000))
    assert found(held, info("a", ONE), RAW) is None
    assert found(held, info("b", ONE), RAW) is not None
    assert (len(held), held.size_bytes, held.evictions) == (1, 1 + ENTRY_OVERHEAD_BYTES, {})


def test_a_resource_that_grew_beyond_the_budget_leaves_nothing_behind() -> None:
    held = cache(max_bytes=5000)
    held.put(info("a", ONE), RAW, bytes_of(1))
    held.put(info("a", TWO), RAW, bytes_of(5000))
    assert (len(held), held.size_bytes) == (0, 0)


def test_discarding_drops_all_forms_and_the_last_good_content() -> None:
    held = cache()
    held.put(info("a", ONE), RAW, bytes_of(1))
    held.put(info("a", ONE), JSON, bytes_of(1))
    held.discard("a")
    held.discard("never")
    assert last_good(held, "a", RAW) is None
    assert (len(held), held.size_bytes) == (0, 0)


def test_clearing_drops_everything() -> None:
    held = cache()
    held.put(info("a", ONE), RAW, bytes_of(1))
    held.clear()
    assert (len(held), held.size_bytes) == (0, 0)


puts = st.tuples(st.integers(0, 30), st.sampled_from([RAW, JSON]), st.integers(0, 4000))


@given(st.integers(1, 8), st.integers(2000, 20_000), st.lists(puts, max_size=60))
def test_the_bounds_hold_whatever_is_put(
    max_resources: int, max_bytes: int, wanted: list[tuple[int, Form, int]]
) -> None:
    held = cache(max_resources=max_resources, max_bytes=max_bytes)
    for number, form, size in wanted:
        held.put(info(f"mcp://resources/{number}", ONE), form, bytes_of(size))
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
        new = bytes_of(size)
        self.held.put(info(uri, version), form, new)
        forms = self.model.get(uri, {})
        for old in [each for each, (of, _) in forms.items() if each is form or of != version]:
            del forms[old]
        if size + ENTRY_OVERHEAD_BYTES <= self.MAX_BYTES:
            forms[form] = (version, new)
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
            assert found(self.held, info(uri, version), form) is None
        else:
            assert found(self.held, info(uri, version), form) is expected[1]
            self.model.move_to_end(uri)

    @rule(uri=uris)
    def discard(self, uri: str) -> None:
        self.held.discard(uri)
        self.model.pop(uri, None)

    def charge(self) -> int:
        kept = [held for forms in self.model.values() for _, held in forms.values()]
        return sum(len(held.body) + ENTRY_OVERHEAD_BYTES for held in kept)

    @invariant()
    def the_same_is_charged(self) -> None:
        assert self.held.size_bytes == self.charge()
        assert len(self.held) == len(self.model)


TestAgainstAModel = AgainstAModel.TestCase


@pytest.mark.parametrize("number", [10_000])
def test_invented_uris_hold_no_memory(number: int) -> None:
    held = cache()
    for index in range(number):
        assert found(held, info(f"mcp://resources/{index}", ONE), RAW) is None
        assert held.last_good(f"mcp://resources/{index}") is None
    assert (len(held), held.size_bytes) == (0, 0)


def test_what_is_held_is_told_without_a_use_of_it() -> None:
    held = cache(max_resources=2)
    for uri in "ab":
        held.put(info(uri, ONE), RAW, bytes_of(1))
    assert held.holds(info("a", ONE), RAW, monotonic())
    assert not held.holds(info("a", TWO), RAW, monotonic())
    assert not held.holds(info("a", ONE), JSON, monotonic())
    held.put(info("c", ONE), RAW, bytes_of(1))
    assert not held.holds(info("a", ONE), RAW, monotonic()), "the oldest went first, though it was asked for"
    held.expire("b")
    assert not held.holds(info("b", ONE), RAW, monotonic())


def test_room_is_there_for_what_puts_nothing_out() -> None:
    held = cache(max_resources=2, max_bytes=3 * ENTRY_OVERHEAD_BYTES + 30)
    assert held.has_room("a", [RAW, JSON], 10)
    assert not held.has_room("a", [RAW, JSON, Form.OUTLINE], 20)
    for uri in "ab":
        held.put(info(uri, ONE), RAW, bytes_of(10))
    assert not held.has_room("c", [RAW], 1)
    assert held.has_room("a", [JSON], 10)
    assert held.has_room("a", [RAW, JSON], 10), "what is there makes room for what takes its place"


def test_what_is_held_is_told_the_last_used_first() -> None:
    held = cache()
    held.put(info("a", ONE), RAW, bytes_of(10))
    held.put(info("a", ONE), JSON, bytes_of(20))
    held.put(info("b", ONE), RAW, bytes_of(5))
    assert [(uri, forms) for uri, forms, _ in held.holdings(10)] == [("b", 1), ("a", 2)]
    assert sum(size for _, _, size in held.holdings(10)) == held.size_bytes
    assert found(held, info("a", ONE), RAW) is not None
    assert [uri for uri, _, _ in held.holdings(1)] == ["a"]
