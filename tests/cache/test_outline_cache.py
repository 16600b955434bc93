from hypothesis import given
from hypothesis import strategies as st

from choirbook.cache.outline_cache import OutlineCache
from choirbook.documents.sections.outline import Outline
from choirbook.model import ResourceInfo, Section, Version


def info(uri: str, version: str = "1") -> ResourceInfo:
    return ResourceInfo(uri, uri, "p", "n", "t", "", "file", "text/markdown", 1, 0, Version(version))


def outline(sections: int) -> Outline:
    return Outline([Section(f"s{n}", "S", 1, ("S",), n, n + 1) for n in range(sections)])


def test_only_the_outline_of_the_very_version_is_found() -> None:
    outlines, first = OutlineCache(), outline(1)
    outlines.put(info("a"), first)
    assert outlines.get(info("a")) is first
    assert outlines.get(info("a", "2")) is None
    assert outlines.get(info("b")) is None


def test_a_new_version_takes_the_place_of_the_old_one() -> None:
    outlines, second = OutlineCache(), outline(2)
    outlines.put(info("a"), outline(1))
    outlines.put(info("a", "2"), second)
    assert outlines.get(info("a")) is None
    assert outlines.get(info("a", "2")) is second
    assert len(outlines) == 1


def test_what_was_not_used_for_longest_makes_room() -> None:
    outlines = OutlineCache(max_sections=16)
    outlines.put(info("a"), outline(2))
    outlines.put(info("b"), outline(2))
    assert outlines.get(info("a")) is not None
    outlines.put(info("c"), outline(2))
    assert [outlines.get(info(uri)) is not None for uri in "abc"] == [True, False, True]


def test_what_is_discarded_is_handed_over_and_makes_room() -> None:
    outlines, first = OutlineCache(max_sections=10), outline(1)
    outlines.put(info("a"), first)
    assert outlines.discard("a") is first
    assert outlines.discard("a") is None
    outlines.put(info("b"), outline(1))
    outlines.put(info("c"), outline(1))
    assert len(outlines) == 2


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 20))))
def test_the_bound_holds_but_for_one_outline_that_is_larger(puts: list[tuple[str, int]]) -> None:
    outlines, held = OutlineCache(max_sections=30), dict.fromkeys("abcdef", 0)
    for uri, sections in puts:
        outlines.put(info(uri), outline(sections))
        held[uri] = sections
        kept = [each for each in held if outlines.get(info(each)) is not None]
        assert sum(held[each] + 4 for each in kept) <= 30 or len(kept) == 1
        assert uri in kept
