import asyncio
import gc
import os
import threading
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from choirbook.errors import ResourceNotFound, ResourceUnreadable
from choirbook.library.debounce import QUIET_S
from choirbook.library.library import Library
from choirbook.model import Content, Form, Reading, ServedFrom, SourceError, Version
from tests.support.apps import serving
from tests.support.reading import body, read
from tests.support.sources import EIO, CountingSource, FailingSource, SlowSource
from tests.support.trees import CORE, CORE_URI, plant, replace
from tests.support.waiting import eventually

PYTHON = "mcp://resources/patterns/python/core"
FOLLOWED: dict[str, Any] = {"watch": True, "rescan_s": 3.0}


async def test_an_entry_older_than_its_time_to_live_is_read_again(library: Path) -> None:
    source = CountingSource(library)
    async with serving(library, source=source, cache_ttl_s=0.02) as served:
        await read(served.library)
        info = served.library.find(CORE_URI)
        await eventually(lambda: served.library.memory.get(info, Form.RAW, monotonic()) is None)
        assert source.reads == 1
        expired = served.library.read(info, Form.RAW)
        assert isinstance(expired, Reading), "no reader waits for what is only old"
        assert (expired.served_from, expired.representation.body) == (ServedFrom.HIT, CORE.encode())
        await eventually(lambda: source.reads == 2)


async def test_a_reader_waits_for_what_is_older_than_its_grace(library: Path) -> None:
    async with serving(library, cache_ttl_s=0.01, cache_grace_s=0.0) as served:
        await read(served.library)
        info = served.library.find(CORE_URI)
        await eventually(lambda: served.library.memory.get(info, Form.RAW, monotonic()) is None)
        assert (await read(served.library)).served_from is ServedFrom.MISS


async def test_what_is_read_again_behind_a_reader_is_read_once(library: Path) -> None:
    source = SlowSource(library)
    source.gate.set()
    async with serving(library, source=source, cache_ttl_s=0.02) as served:
        await read(served.library)
        info = served.library.find(CORE_URI)
        await eventually(lambda: served.library.memory.get(info, Form.RAW, monotonic()) is None)
        source.gate.clear()
        try:
            readings = [served.library.read(info, Form.RAW) for _ in range(100)]
            assert all(isinstance(reading, Reading) for reading in readings)
            await eventually(lambda: source.reads == 2)
        finally:
            source.gate.set()


async def test_a_failed_read_is_answered_with_the_last_good_content(library: Path) -> None:
    source = FailingSource(library)
    async with serving(library, source=source, cache_ttl_s=0.001) as served:
        good = await read(served.library)
        source.error = EIO
        stale = await eventually(lambda: _stale(served.library))
        assert stale.representation is good.representation
        assert [stage.name for stage in stale.stages] == ["cache.memory", "source.read"]
        source.error = None
        assert (await read(served.library)).served_from in {ServedFrom.MISS, ServedFrom.HIT}


@pytest.mark.parametrize("loaded", sorted(Form))
async def test_the_last_good_content_is_given_in_any_form(library: Path, loaded: Form) -> None:
    source = FailingSource(library)
    async with serving(library, source=source) as served:
        await read(served.library, form=loaded)
        source.error = EIO
        for form in Form:
            reading = await read(served.library, form=form)
            assert reading.representation.digest == sha256(CORE.encode()).hexdigest()
            assert reading.served_from in {ServedFrom.HIT, ServedFrom.STALE}


async def test_no_form_goes_back_to_a_version_older_than_another_form_has_shown(library: Path) -> None:
    source = FailingSource(library)
    async with serving(library, source=source, **FOLLOWED) as served:
        await read(served.library, form=Form.RAW)
        before = served.library.find(CORE_URI).version
        replace(library / "sdlc-core.md", "# New\n")
        await eventually(lambda: served.library.find(CORE_URI).version != before)
        assert (await read(served.library, form=Form.JSON)).served_from is ServedFrom.MISS
        source.error = EIO
        stale = await read(served.library, form=Form.RAW)
        assert (stale.served_from, stale.representation.body) == (ServedFrom.STALE, b"# New\n")


async def test_a_section_is_cut_from_the_last_good_document(library: Path) -> None:
    source = FailingSource(library)
    async with serving(library, source=source) as served:
        whole = await read(served.library, PYTHON)
        source.error = EIO
        section = await read(served.library, f"{PYTHON}?section=other")
        assert section.served_from is ServedFrom.STALE
        assert section.representation.body
        assert section.representation.body in whole.representation.body


async def test_another_form_of_what_memory_has_waits_for_no_change_to_settle(library: Path) -> None:
    async with serving(library) as served:
        first = await read(served.library, form=Form.JSON)
        # Being emptied takes a second to be believed.
        os.truncate(library / "sdlc-core.md", 0)
        second = await read(served.library, form=Form.RAW)
        assert second.representation.digest == first.representation.digest
        assert second.representation.body == CORE.encode()
        assert served.library.find(CORE_URI).size > 0, "the change has not settled yet"


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
        before = served.library.find(CORE_URI).version
        source.error = EIO
        replace(library / "sdlc-core.md", "# New\n")
        await eventually(lambda: served.library.find(CORE_URI).version != before)
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
            served.library.find(CORE_URI)


async def test_of_two_files_the_second_is_read_when_the_first_goes(library: Path) -> None:
    plant(library, {"zzz/sdlc-core.md": "# Second\n"})
    async with serving(library) as served:
        (library / "sdlc-core.md").unlink()
        assert await body(served.library) == b"# Second\n"


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
    "following", [FOLLOWED, {"watch": False, "rescan_s": 0.05}], ids=["watched", "scanned"]
)
async def test_a_file_that_is_rewritten_in_place_is_never_read_torn(
    library: Path, following: dict[str, Any]
) -> None:
    path = library / "sdlc-core.md"
    plant(library, {"sdlc-core.md": _document(0)})
    done = threading.Event()
    # A pause that a busy machine stretched to the quiet time makes a half what was written.
    excused: set[bytes] = set()

    def rewrite() -> None:
        number = 0
        while not done.is_set():
            number += 1
            text = _document(number)
            half, begun_s = text[: len(text) // 2], monotonic()
            with path.open("wb") as file:
                file.write(half)
                file.flush()
                done.wait(0.02)
                file.write(text[len(half) :])
            if monotonic() - begun_s >= QUIET_S:
                excused.add(half)
            done.wait(0.15)

    async with serving(library, **following) as served:
        found = await _read_while(served.library, threading.Thread(target=rewrite), done)
    assert [data[:20] for data in found.keys() - excused if not _is_whole(data)] == []
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
            assert served.library.find(CORE_URI).size == 0, "believed after a second of quiet"


async def test_a_source_that_fails_while_a_reader_waits_answers_with_an_error_of_its_own(
    library: Path,
) -> None:
    source = FailingSource(library)
    async with serving(library, source=source) as served:
        source.error = SourceError("sdlc-core.md: Too many open files")
        with pytest.raises(ResourceUnreadable) as caught:
            await read(served.library)
        assert isinstance(caught.value.__cause__, SourceError)


def replacing(path: Path, done: threading.Event, pause_s: float) -> threading.Thread:
    """Replace a document again and again, on a thread that is started."""

    def run() -> None:
        number = 0
        while not done.wait(pause_s):
            number += 1
            replace(path, _document(number))

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("form", [Form.RAW, Form.JSON, Form.OUTLINE, Form.TOOL_MODERN])
async def test_a_document_that_is_never_quiet_is_read_by_a_cold_reader(library: Path, form: Form) -> None:
    done = threading.Event()
    async with serving(library, **FOLLOWED) as served:
        path = library / "sdlc-core.md"
        size = path.stat().st_size
        thread = replacing(path, done, 0.01)
        try:
            await eventually(lambda: path.stat().st_size != size)
            await read(served.library, form=form)
            assert _is_whole(await body(served.library))
        finally:
            done.set()
            await asyncio.to_thread(thread.join)


async def test_a_document_that_is_never_quiet_shows_its_changes_in_every_form(library: Path) -> None:
    done = threading.Event()
    digests: dict[Form, set[str]] = {form: set() for form in Form}
    async with serving(library, **FOLLOWED) as served:
        thread = replacing(library / "sdlc-core.md", done, 0.01)

        async def all_change() -> bool:
            for form in Form:
                digests[form].add((await read(served.library, form=form)).representation.digest)
            return min(map(len, digests.values())) >= 3

        try:
            await eventually(all_change)
        finally:
            done.set()
            await asyncio.to_thread(thread.join)


async def test_reads_that_failed_are_no_longer_counted_as_waiting(library: Path) -> None:
    source = FailingSource(library)
    async with serving(library, source=source, max_waiting_reads=1) as served:
        source.error = EIO
        for _ in range(3):
            with pytest.raises(ResourceUnreadable):
                await read(served.library)
        source.error = None
        assert (await read(served.library)).served_from is ServedFrom.MISS


async def test_reads_that_were_given_up_are_no_longer_counted_as_waiting(library: Path) -> None:
    source = SlowSource(library)
    async with serving(library, source=source, max_waiting_reads=1) as served:
        for number in range(3):
            waiting = asyncio.create_task(read(served.library))
            await eventually(lambda number=number: source.reads > 0 or number)  # type: ignore[misc]
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        source.gate.set()
        assert (await read(served.library)).representation.body == CORE.encode()


async def test_load_that_lands_late_does_not_replace_a_newer_version(library: Path) -> None:
    source = HeldSource(library)
    async with serving(library, source=source, **FOLLOWED) as served:
        await eventually(lambda: served.library.follower.watching)
        late = asyncio.create_task(read(served.library))
        await eventually(lambda: source.reads == 1)
        replace(library / "sdlc-core.md", "# Edited\n")
        await eventually(lambda: served.library.find(CORE_URI).size == 9)
        assert await body(served.library) == b"# Edited\n"
        source.gate.set()
        assert (await late).representation.body == CORE.encode()
        kept = served.library.memory.info(CORE_URI)
        assert kept is not None
        assert kept.version == served.library.find(CORE_URI).version
        assert (await read(served.library)).served_from is ServedFrom.HIT
        assert await body(served.library) == b"# Edited\n"


class HeldSource(CountingSource):
    """The first read waits until it is let go; those after it do not."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.gate = threading.Event()

    def read(self, path: str, version: Version) -> Content:
        content = super().read(path, version)
        assert self.reads > 1 or self.gate.wait(30), "the test never opened the gate"
        return content


async def test_background_load_that_fails_leaves_no_exception_that_nobody_took(library: Path) -> None:
    source = FailingSource(library)
    told: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    async with serving(library, source=source, cache_ttl_s=0.02) as served:
        await read(served.library)
        info = served.library.find(CORE_URI)
        await eventually(lambda: served.library.memory.get(info, Form.RAW, monotonic()) is None)
        source.error = EIO
        assert isinstance(served.library.read(info, Form.RAW), Reading)
        # The URI counts as failing once the load has ended, and then nothing expired is given out.
        await eventually(lambda: served.library.memory.expired(info, Form.RAW) is None)
        source.error = None
    await asyncio.to_thread(gc.collect)
    await asyncio.sleep(0)
    assert told == []
