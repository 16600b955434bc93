import asyncio
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.errors import InvalidUri, ResourceNotFound
from choirbook.library.library import Library
from choirbook.model import Form, Reading, ServedFrom
from tests.support.apps import Served, application, serving
from tests.support.reading import read
from tests.support.sources import CountingSource, SlowSource
from tests.support.trees import CORE, CORE_URI
from tests.support.waiting import eventually

PYTHON = "mcp://resources/patterns/python/core"
FOLLOWED: dict[str, Any] = {"watch": True, "rescan_s": 3.0}


async def test_the_first_read_is_a_miss_and_the_second_a_hit_without_an_await(served: Served) -> None:
    info = served.library.find(CORE_URI)
    first = await read(served.library)
    second = served.library.read(info, Form.RAW)
    assert isinstance(second, Reading)
    assert (first.served_from, second.served_from) == (ServedFrom.MISS, ServedFrom.HIT)
    assert second.representation is first.representation
    assert second.representation.body == CORE.encode()


def stages(reading: Reading) -> list[str]:
    return [stage.name for stage in reading.stages]


LOADED = ["cache.memory", "queue", "source.read", "render"]


async def test_a_miss_says_what_it_was_made_of_and_a_hit_has_nothing_to_say(served: Served) -> None:
    before_s = monotonic()
    miss = await read(served.library)
    after_s = monotonic()
    assert stages(miss) == LOADED
    ends_s = [stage.start_s + stage.duration_s for stage in miss.stages]
    starts_s = [stage.start_s for stage in miss.stages]
    assert [before_s, *ends_s] <= [*starts_s, after_s]
    assert sorted(starts_s + ends_s) == [at for pair in zip(starts_s, ends_s, strict=True) for at in pair]
    assert (await read(served.library)).stages == ()


async def test_all_who_wait_for_one_load_are_told_of_it_behind_their_own_look_up(library: Path) -> None:
    source = SlowSource(library)
    async with serving(library, source=source) as served:
        readers = [asyncio.create_task(read(served.library)) for _ in range(3)]
        await eventually(lambda: source.reads == 1)
        source.gate.set()
        readings = await asyncio.gather(*readers)
    assert [stages(reading) for reading in readings] == [LOADED] * 3
    assert len({reading.stages[0] for reading in readings}) == 3
    assert len({reading.stages[1:] for reading in readings}) == 1


async def test_a_section_that_was_never_asked_for_is_looked_for_first(library: Path) -> None:
    (library / "sdlc-core.md").write_text("# One\n\n## Two\n\nText.\n")
    async with serving(library) as served:
        section = served.library.section(served.library.find(CORE_URI), "two")
        reading = served.library.read(section, Form.RAW)
        assert not isinstance(reading, Reading)
        assert stages(await reading) == ["cache.memory", "outline", *LOADED[1:]]


async def test_a_uri_is_found_in_any_spelling(served: Served) -> None:
    assert served.library.find("MCP://Resources/%73dlc/core") == served.library.find(CORE_URI)


async def test_a_uri_that_names_nothing_is_told_with_its_nearest(served: Served) -> None:
    with pytest.raises(ResourceNotFound) as caught:
        served.library.find("mcp://resources/sdlc/cores")
    assert caught.value.message == f"Resource not found: mcp://resources/sdlc/cores. Did you mean {CORE_URI}?"
    assert caught.value.data is not None
    assert caught.value.data["uri"] == "mcp://resources/sdlc/cores"
    assert caught.value.data["nearest"][0] == CORE_URI


@pytest.mark.parametrize(
    "uri", ["mcp://resources/../etc/passwd", "/etc/passwd", "", "mcp://resources/sdlc/core\0"]
)
async def test_a_uri_that_no_resource_can_have_is_refused(served: Served, uri: str) -> None:
    with pytest.raises(InvalidUri):
        served.library.find(uri)


@pytest.fixture
def unstarted(library: Path) -> Library:
    return application(library).library


@given(text=st.text())
def test_any_text_names_a_resource_or_is_refused(text: str, unstarted: Library) -> None:
    with pytest.raises((InvalidUri, ResourceNotFound)):
        unstarted.find(text)


async def test_an_etag_is_known_once_its_form_was_made(served: Served) -> None:
    info = served.library.find(CORE_URI)
    assert served.library.etag(info, Form.RAW) is None
    reading = await read(served.library)
    assert served.library.etag(info, Form.RAW) == reading.representation.etag
    assert served.library.etag(info, Form.JSON) is None


async def test_a_thousand_cold_reads_of_one_resource_are_one_load(library: Path) -> None:
    source = CountingSource(library)
    async with serving(library, source=source) as served:
        readings = await asyncio.gather(*(read(served.library) for _ in range(1000)))
        assert source.reads == 1
        assert {reading.representation.body for reading in readings} == {CORE.encode()}
        await read(served.library)
        assert source.reads == 1


async def test_a_reader_that_hangs_up_fails_no_other(library: Path) -> None:
    source = SlowSource(library)
    async with serving(library, source=source) as served:
        readers = [asyncio.create_task(read(served.library)) for _ in range(5)]
        await eventually(lambda: source.reads == 1)
        readers[0].cancel()
        source.gate.set()
        outcomes = await asyncio.gather(*readers, return_exceptions=True)
        assert isinstance(outcomes[0], asyncio.CancelledError)
        assert all(isinstance(outcome, Reading) for outcome in outcomes[1:])
        assert source.reads == 1


async def test_every_form_is_loaded_for_itself(library: Path) -> None:
    source = CountingSource(library)
    async with serving(library, source=source) as served:
        for form in Form:
            await read(served.library, form=form)
            assert (await read(served.library, form=form)).served_from is ServedFrom.HIT
        assert source.reads == len(Form)


async def test_what_is_removed_leaves_memory(library: Path) -> None:
    async with serving(library, **FOLLOWED) as served:
        await read(served.library)
        assert len(served.library.memory) == 1
        (library / "sdlc-core.md").unlink()
        await eventually(lambda: served.library.catalog.find(CORE_URI) is None)
        assert (len(served.library.memory), served.library.memory.size_bytes) == (0, 0)


async def test_invented_uris_hold_no_memory(served: Served) -> None:
    for number in range(10_000):
        with pytest.raises(ResourceNotFound):
            served.library.find(f"mcp://resources/invented/{number}")
    assert (len(served.library.memory), served.library.memory.size_bytes) == (0, 0)
