"""A memory that was cleared is as a new one."""

from __future__ import annotations

from choirbook.cache.memory import ENTRY_OVERHEAD_BYTES, MemoryCache
from tests.cache.test_memory import JSON, ONE, RAW, bytes_of, cache, found, info


def test_nothing_is_held_or_charged_after_a_clear() -> None:
    held = cache()
    for form in (RAW, JSON):
        held.put(info("a", ONE), form, bytes_of(100))
    held.fail("a")
    held.clear()
    assert (held.size_bytes, sum(held.form_bytes.values()), held.infos(), held.holdings(9)) == (0, 0, [], [])
    held.put(info("a", ONE), RAW, bytes_of(100))
    assert held.size_bytes == held.form_bytes[RAW] == 100 + ENTRY_OVERHEAD_BYTES
    assert found(held, info("a", ONE), RAW) is not None


def test_all_bytes_can_be_used_again_after_a_clear() -> None:
    size = 1000 + ENTRY_OVERHEAD_BYTES
    held: MemoryCache = cache(max_bytes=size)
    held.put(info("a", ONE), RAW, bytes_of(1000))
    held.clear()
    held.put(info("b", ONE), RAW, bytes_of(1000))
    assert held.size_bytes == size
    assert found(held, info("b", ONE), RAW) is not None
