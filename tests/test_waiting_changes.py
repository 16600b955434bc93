"""Changes that nobody told of: found by what is read for an outline, or behind a reader."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pytest

from carrel.errors import ResourceNotFound
from carrel.model import Form, Reading, ServedFrom
from tests.support.apps import serving
from tests.support.reading import read
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
        # No watcher and no survey: only that read can have noticed.
        await eventually(lambda: served.library.find(CORE_URI).size == 9)
