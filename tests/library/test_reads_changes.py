"""Changes that nobody told of: found by what is read for an outline, or behind a reader."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from time import monotonic

import pytest

from choirbook.errors import ResourceNotFound
from choirbook.model import Content, Form, Reading, ServedFrom, Version
from tests.support.apps import serving
from tests.support.reading import read
from tests.support.sources import EIO, FailingSource
from tests.support.trees import CORE, CORE_URI, replace
from tests.support.waiting import eventually


async def test_outline_of_a_document_that_changed_is_that_of_its_new_version(library: Path) -> None:
    async with serving(library) as served:
        before = served.library.find(CORE_URI)
        replace(library / "sdlc-core.md", "# New\n\n## One part\n")
        outline = await served.library.outline(before)
        assert [section.slug for section in outline.sections] == ["new", "one-part"]
        assert served.library.find(CORE_URI).version != before.version


async def test_outline_of_a_document_that_is_gone_is_not_found(library: Path) -> None:
    async with serving(library) as served:
        info = served.library.find(CORE_URI)
        (library / "sdlc-core.md").unlink()
        with pytest.raises(ResourceNotFound):
            await served.library.outline(info)


async def test_change_that_is_found_behind_a_reader_is_looked_at(library: Path) -> None:
    async with serving(library, cache_ttl_s=0.02) as served:
        await read(served.library)
        info = served.library.find(CORE_URI)
        await eventually(lambda: served.library.memory.get(info, Form.RAW, monotonic()) is None)
        replace(library / "sdlc-core.md", "# Edited\n")
        expired = served.library.read(info, Form.RAW)
        assert isinstance(expired, Reading)
        assert (expired.served_from, expired.representation.body) == (ServedFrom.HIT, CORE.encode())
        # No watcher and no scan: only that read can have noticed.
        await eventually(lambda: served.library.find(CORE_URI).size == 9)


class HeldSource(FailingSource):
    """The first read waits until it is let go."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.gate = threading.Event()

    def read(self, path: str, version: Version) -> Content:
        content = super().read(path, version)
        assert self.gate.wait(30), "the test never opened the gate"
        return content


async def test_version_that_was_loaded_late_is_the_last_good_one_while_nothing_newer_is_held(
    library: Path,
) -> None:
    source = HeldSource(library)
    async with serving(library, source=source, watch=True) as served:
        await eventually(lambda: served.library.follower.watching)
        late = asyncio.create_task(read(served.library))
        try:
            await eventually(lambda: source.reads == 1)
            replace(library / "sdlc-core.md", "# Edited\n")
            await eventually(lambda: served.library.find(CORE_URI).size == 9)
        finally:
            source.gate.set()
        assert (await late).representation.body == CORE.encode()
        source.error = EIO
        reading = await read(served.library)
        assert (reading.served_from, reading.representation.body) == (ServedFrom.STALE, CORE.encode())
