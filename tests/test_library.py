import asyncio
import os
import threading
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.errors import InvalidUri, ResourceNotFound, ResourceUnreadable
from carrel.library import Library
from carrel.model import Form, Reading, ServedFrom, SourceError
from tests.support.apps import Served, application, serving
from tests.support.sources import EIO, CountingSource, FailingSource, SlowSource
from tests.support.trees import CORE, plant, replace
from tests.support.waiting import eventually

URI = "mcp://resources/sdlc/core"
FOLLOWED: dict[str, Any] = {"watch": True, "rescan_s": 3.0}


async def read(library: Library, uri: str = URI, form: Form = Form.RAW) -> Reading:
    answer = library.read(library.find(uri), form)
    return answer if isinstance(answer, Reading) else await answer


async def body(library: Library, uri: str = URI) -> bytes:
    return (await read(library, uri)).representation.body


async def test_the_first_read_is_a_miss_and_the_second_a_hit_without_an_await(served: Served) -> None:
    info = served.library.find(URI)
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
        section = served.library.section(served.library.find(URI), "two")
        reading = served.library.read(section, Form.RAW)
        assert not isinstance(reading, Reading)
        assert stages(await reading) == ["cache.memory", "outline", *LOADED[1:]]


async def test_a_uri_is_found_in_any_spelling(served: Served) -> None:
    assert served.library.find("MCP://Resources/%73dlc/core") == served.library.find(URI)


async def test_a_uri_that_names_nothing_is_told_with_its_nearest(served: Served) -> None:
    with pytest.raises(ResourceNotFound) as caught:
        served.library.find("mcp://resources/sdlc/cores")
    assert caught.value.message == f"Resource not found: mcp://resources/sdlc/cores. Did you mean {URI}?"
    assert caught.value.data is not None
    assert caught.value.data["uri"] == "mcp://resources/sdlc/cores"
    assert caught.value.data["nearest"][0] == URI


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
    info = served.library.find(URI)
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


async def test_an_entry_older_than_its_time_to_live_is_read_again(library: Path) -> None:
    source = CountingSource(library)
    async with serving(library, source=source, cache_ttl_s=0.02) as served:
        await read(served.library)
        info = served.library.find(URI)
        await eventually(lambda: served.library.memory.get(info, Form.RAW, monotonic()) is None)
        assert (await read(served.library)).served_from is ServedFrom.MISS
        assert source.reads == 2


async def test_a_failed_read_is_answered_with_the_last_good_content(library: Path) -> None:
    source = FailingSource(library)
    async with serving(library, source=source, cache_ttl_s=0.001) as served:
        good = await read(served.library)
        source.error = EIO
        stale = await eventually(lambda: _stale(served.library))
        assert stale.representation is good.representation
        assert stages(stale) == ["cache.memory", "source.read"]
        source.error = None
        assert (await read(served.library)).served_from in {ServedFrom.MISS, ServedFrom.HIT}


async def _stale(library: Library) -> Reading | None:
    reading = await read(library)
    return reading if reading.served_from is ServedFrom.STALE else None


async def test_the_last_good_content_is_served_for_a_limited_time(library: Path) -> None:
    source = FailingSource(library)
    async with serving(library, source=source, cache_ttl_s=0.001, last_good_s=0.1) as served:
        await read(served.library)
        source.error = EIO
        await eventually(lambda: _stale(served.library))
        await eventually(lambda: _fails(served.library))
        source.error = None
        assert await body(served.library) == CORE.encode()


async def _fails(library: Library) -> bool:
    try:
        await read(library)
    except ResourceUnreadable:
        return True
    return False


async def test_an_error_is_never_kept(library: Path) -> None:
    source = FailingSource(library)
    async with serving(library, source=source) as served:
        source.error = EIO
        for _ in range(3):
            with pytest.raises(ResourceUnreadable) as caught:
                await read(served.library)
            assert str(library) not in caught.value.message
        assert source.reads == 3
        assert (len(served.library.memory), served.library.memory.size_bytes) == (0, 0)
        source.error = None
        assert (await read(served.library)).served_from is ServedFrom.MISS


async def test_the_last_good_content_outlives_a_change_that_cannot_be_read(library: Path) -> None:
    source = FailingSource(library)
    async with serving(library, source=source, **FOLLOWED) as served:
        await read(served.library)
        before = served.library.find(URI).version
        source.error = EIO
        replace(library / "sdlc-core.md", "# New\n")
        await eventually(lambda: served.library.find(URI).version != before)
        stale = await read(served.library)
        assert (stale.served_from, stale.representation.body) == (ServedFrom.STALE, CORE.encode())
        source.error = None
        assert await body(served.library) == b"# New\n"


async def test_a_document_that_grew_too_large_is_not_served_torn_or_whole(library: Path) -> None:
    source = CountingSource(library, max_document_bytes=4000)
    async with serving(library, source=source, watch=True, rescan_s=0.1) as served:
        await read(served.library)
        replace(library / "sdlc-core.md", "x" * 5000)
        assert await body(served.library) == CORE.encode(), "from memory, or as the last good content"
        await eventually(lambda: _is_gone(served.library))


async def _is_gone(library: Library) -> bool:
    try:
        await read(library)
    except (ResourceNotFound, ResourceUnreadable):
        return True
    return False


async def test_a_change_that_nobody_told_of_is_found_by_the_read(library: Path) -> None:
    """Nothing follows the directory here: the read itself sees that the version is another one."""
    async with serving(library) as served:
        replace(library / "sdlc-core.md", "# New\n")
        assert await body(served.library) == b"# New\n"


async def test_a_deletion_that_nobody_told_of_is_found_by_the_read(library: Path) -> None:
    async with serving(library) as served:
        (library / "sdlc-core.md").unlink()
        with pytest.raises(ResourceNotFound):
            await read(served.library)
        with pytest.raises(ResourceNotFound):
            served.library.find(URI)


async def test_of_two_files_the_second_is_read_when_the_first_goes(library: Path) -> None:
    plant(library, {"zzz/sdlc-core.md": "# Second\n"})
    async with serving(library) as served:
        (library / "sdlc-core.md").unlink()
        assert await body(served.library) == b"# Second\n"


async def test_what_is_removed_leaves_memory(library: Path) -> None:
    async with serving(library, **FOLLOWED) as served:
        await read(served.library)
        assert len(served.library.memory) == 1
        (library / "sdlc-core.md").unlink()
        await eventually(lambda: served.library.catalog.find(URI) is None)
        assert (len(served.library.memory), served.library.memory.size_bytes) == (0, 0)


async def test_invented_uris_hold_no_memory(served: Served) -> None:
    for number in range(10_000):
        with pytest.raises(ResourceNotFound):
            served.library.find(f"mcp://resources/invented/{number}")
    assert (len(served.library.memory), served.library.memory.size_bytes) == (0, 0)


def _document(number: int) -> bytes:
    """Make a document that says itself whether it is whole."""
    text = f"# {number}\n\n".encode() + b"A line of some length to fill the pages.\n" * (number % 400 + 50)
    return text + sha256(text).hexdigest().encode()


def _is_whole(data: bytes) -> bool:
    return sha256(data[:-64]).hexdigest().encode() == data[-64:]


WRITING_S = 2.0


async def _read_while(library: Library, write: threading.Thread, done: threading.Event) -> Counter[bytes]:
    """Read as fast as it goes while a writer works, and return what was read, each text once a read."""
    found: Counter[bytes] = Counter()
    write.start()
    end_s = time.monotonic() + WRITING_S
    try:
        while time.monotonic() < end_s:
            reading = await read(library)
            data = reading.representation.body
            found[data] += 1
            assert reading.representation.digest == sha256(data).hexdigest()
            await asyncio.sleep(0)
    finally:
        done.set()
        await asyncio.get_running_loop().run_in_executor(None, write.join)
    return found


@pytest.mark.parametrize(
    "following", [FOLLOWED, {"watch": False, "rescan_s": 0.05}], ids=["watched", "surveyed"]
)
async def test_a_file_that_is_rewritten_in_place_is_never_read_torn(
    library: Path, following: dict[str, Any]
) -> None:
    path = library / "sdlc-core.md"
    plant(library, {"sdlc-core.md": _document(0)})
    done = threading.Event()

    def rewrite() -> None:
        number = 0
        while not done.is_set():
            number += 1
            text = _document(number)
            with path.open("wb") as file:
                file.write(text[: len(text) // 2])
                file.flush()
                done.wait(0.02)
                file.write(text[len(text) // 2 :])
            done.wait(0.15)

    async with serving(library, **following) as served:
        found = await _read_while(served.library, threading.Thread(target=rewrite), done)
    assert [data[:20] for data in found if not _is_whole(data)] == []
    assert len(found) > 1, "new texts must show as well"


async def test_a_file_that_is_replaced_is_always_of_one_version(library: Path) -> None:
    path = library / "sdlc-core.md"
    plant(library, {"sdlc-core.md": _document(0)})
    done = threading.Event()

    def replace_again_and_again() -> None:
        number = 0
        while not done.wait(0.01 * (number % 20)):
            number += 1
            replace(path, _document(number))

    async with serving(library, **FOLLOWED) as served:
        found = await _read_while(served.library, threading.Thread(target=replace_again_and_again), done)
    assert [data[:20] for data in found if not _is_whole(data)] == []
    assert len(found) > 1, "new texts must show as well"


async def test_a_file_that_is_emptied_keeps_its_content_for_a_second(library: Path) -> None:
    async with serving(library, **FOLLOWED) as served:
        assert await body(served.library) == CORE.encode()
        os.truncate(library / "sdlc-core.md", 0)
        emptied_s = time.monotonic()
        while await body(served.library):
            await asyncio.sleep(0.01)
            assert time.monotonic() - emptied_s < 20
        assert time.monotonic() - emptied_s >= 1.0


async def test_a_file_that_is_being_emptied_is_not_served_empty_to_a_cold_reader(library: Path) -> None:
    async with serving(library) as served:
        os.truncate(library / "sdlc-core.md", 0)
        outcome: Reading | Exception
        try:
            outcome = await read(served.library)
        except ResourceUnreadable as error:
            outcome = error
        if isinstance(outcome, Reading):
            assert outcome.representation.body == b""
            assert served.library.find(URI).size == 0, "believed after a second of quiet"


async def test_a_source_that_fails_while_a_reader_waits_answers_with_an_error_of_its_own(
    library: Path,
) -> None:
    source = FailingSource(library)
    async with serving(library, source=source) as served:
        source.error = SourceError("sdlc-core.md: Too many open files")
        with pytest.raises(ResourceUnreadable) as caught:
            await read(served.library)
        assert isinstance(caught.value.__cause__, SourceError)
