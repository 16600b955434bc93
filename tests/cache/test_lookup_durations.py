from __future__ import annotations

from pathlib import Path

from choirbook.cache.lookup_durations import MAX_LOOKUPS, LookupDurations
from choirbook.model import Form
from tests.support.apps import serving
from tests.support.reading import read
from tests.support.trees import CORE_URI


def duration(text: str) -> float:
    """Return a number that is an object of its own, as each difference of two times is."""
    return float(text)


def test_durations_are_taken_once_hits_apart_from_misses() -> None:
    lookups = LookupDurations()
    lookups.note_hit(0.1)
    lookups.note_miss(0.2)
    lookups.note_hit(0.3)
    assert lookups.take() == ([0.1, 0.3], [0.2])
    assert lookups.take() == ([], [])


def test_only_hit_since_a_moment_is_found_among_equal_ones() -> None:
    lookups = LookupDurations()
    for _ in range(3):
        before_s = lookups.latest_hit_s
        assert lookups.only_hit_since(before_s) is None
        lookups.note_hit(duration("0.5"))
        assert lookups.only_hit_since(before_s) == 0.5


def test_of_several_hits_since_a_moment_none_is_the_only_one() -> None:
    lookups = LookupDurations()
    for noted in (0, 1):
        before_s = lookups.latest_hit_s
        lookups.note_hit(duration("0.5"))
        lookups.note_hit(duration("0.25"))
        assert lookups.only_hit_since(before_s) is None, noted


def test_only_hit_is_found_when_no_more_durations_fit() -> None:
    lookups = LookupDurations()
    for _ in range(MAX_LOOKUPS + 1):
        lookups.note_hit(duration("0.5"))
    before_s = lookups.latest_hit_s
    lookups.note_hit(duration("0.25"))
    assert lookups.only_hit_since(before_s) == 0.25
    hits_s, _ = lookups.take()
    assert len(hits_s) == MAX_LOOKUPS


async def test_library_notes_a_miss_and_then_hits(library: Path) -> None:
    async with serving(library) as served:
        lookups = served.library.lookups
        lookups.take()
        await read(served.library, CORE_URI, Form.RAW)
        before_s = lookups.latest_hit_s
        await read(served.library, CORE_URI, Form.RAW)
        took_s = lookups.only_hit_since(before_s)
        assert took_s is not None
        hits_s, misses_s = lookups.take()
        assert (hits_s, len(misses_s)) == ([took_s], 1)
