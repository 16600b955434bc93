from hypothesis import given
from hypothesis import strategies as st

from choirbook.library.debounce import EMPTY_QUIET_S, QUIET_S, RESTLESS_S, Pending, Verdict, settle
from choirbook.model import SourceEntry, Version


def entry(version: str, size: int = 10) -> SourceEntry:
    return SourceEntry("a.md", Version(version), size, 0)


OLD, NEW = entry("old"), entry("new")
EMPTY = entry("empty", size=0)


def test_what_did_not_change_is_kept() -> None:
    assert settle(OLD, OLD, None, 5.0) == (Verdict.KEEP, None)
    assert settle(None, None, None, 5.0) == (Verdict.KEEP, None)


def test_a_change_that_goes_back_is_forgotten() -> None:
    assert settle(OLD, OLD, Pending(NEW, 5.0, 6.0, 5.0), 5.0) == (Verdict.KEEP, None)


def test_a_change_waits_for_its_quiet_time() -> None:
    verdict, pending = settle(OLD, NEW, None, 5.0)
    assert verdict is Verdict.WAIT
    assert pending == Pending(NEW, 5.0, 5.0 + QUIET_S, 5.0)
    assert settle(OLD, NEW, pending, 5.0 + QUIET_S / 2) == (Verdict.WAIT, pending)
    assert settle(OLD, NEW, pending, 5.0 + QUIET_S) == (Verdict.ADOPT, None)


def test_a_further_change_starts_the_quiet_time_again() -> None:
    _, pending = settle(OLD, NEW, None, 5.0)
    verdict, later = settle(OLD, entry("newer"), pending, 6.0)
    assert verdict is Verdict.WAIT
    assert later == Pending(entry("newer"), 6.0, 6.0 + QUIET_S, 5.0)


def test_changes_that_follow_each_other_for_long_are_restless() -> None:
    _, first = settle(OLD, NEW, None, 5.0)
    assert first is not None
    assert not first.is_restless(5.0 + RESTLESS_S), "one change that waits is at rest"
    _, second = settle(OLD, entry("newer"), first, 5.01)
    assert second is not None
    assert not second.is_restless(5.01)
    assert second.is_restless(5.0 + RESTLESS_S)


def test_a_file_that_had_content_is_empty_only_after_a_second() -> None:
    _, pending = settle(OLD, EMPTY, None, 5.0)
    assert pending is not None
    assert pending.due_s == 5.0 + EMPTY_QUIET_S
    assert settle(OLD, EMPTY, pending, 5.9)[0] is Verdict.WAIT
    assert settle(OLD, EMPTY, pending, 6.0)[0] is Verdict.ADOPT


def test_a_new_file_may_be_empty_at_once() -> None:
    _, pending = settle(None, EMPTY, None, 5.0)
    assert pending is not None
    assert pending.due_s == 5.0 + QUIET_S


def test_a_deletion_waits_too() -> None:
    verdict, pending = settle(OLD, None, None, 5.0)
    assert verdict is Verdict.WAIT
    assert settle(OLD, None, pending, 5.0 + QUIET_S) == (Verdict.ADOPT, None)


entries = st.one_of(
    st.none(), st.builds(entry, st.sampled_from(["a", "b", "c"]), st.sampled_from([10])), st.just(EMPTY)
)
looks = st.lists(st.tuples(entries, st.floats(0.001, 2.0)), max_size=30)


@given(entries, looks)
def test_only_what_was_the_same_for_the_quiet_time_is_adopted(
    known: SourceEntry | None, seen: list[tuple[SourceEntry | None, float]]
) -> None:
    pending: Pending | None = None
    now_s, same_since_s = 0.0, 0.0
    before: SourceEntry | str | None = "nothing seen"
    for look, pause_s in seen:
        now_s += pause_s
        if look != before:
            same_since_s, before = now_s, look
        emptied = known is not None and known.size > 0 and look is not None and look.size == 0
        verdict, pending = settle(known, look, pending, now_s)
        assert (pending is not None) == (verdict is Verdict.WAIT)
        assert (verdict is Verdict.KEEP) == (known == look)
        if verdict is Verdict.ADOPT:
            assert now_s - same_since_s >= (EMPTY_QUIET_S if emptied else QUIET_S) - 1e-9
            known = look
