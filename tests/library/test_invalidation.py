from pathlib import Path
from typing import Any

import pytest

from choirbook.errors import InvalidParams, InvalidUri, ResourceNotFound
from choirbook.library.library import Library
from choirbook.model import Form, Invalidation, ServedFrom
from tests.support.apps import Served, serving
from tests.support.reading import read
from tests.support.sources import CountingSource
from tests.support.trees import CORE_URI, plant, replace
from tests.support.waiting import eventually

PYTHON = "mcp://resources/patterns/python/core"
ALL = Invalidation()


async def is_hit(library: Library, uri: str) -> bool:
    return (await read(library, uri)).served_from is ServedFrom.HIT


@pytest.mark.parametrize(
    ("scope", "is_kept"),
    [
        (Invalidation(uri=CORE_URI), {CORE_URI: False, PYTHON: True}),
        (Invalidation(type="pattern"), {CORE_URI: True, PYTHON: False}),
        (ALL, {CORE_URI: False, PYTHON: False}),
    ],
)
async def test_what_is_forgotten_is_read_from_the_source_again(
    served: Served, scope: Invalidation, is_kept: dict[str, bool]
) -> None:
    library = served.library
    types = {uri: library.find(uri).type for uri in is_kept}
    if scope.type is not None:
        scope = Invalidation(type=types[PYTHON])
    assert types[CORE_URI] != types[PYTHON]
    for uri in is_kept:
        await read(library, uri)
    assert (await served.app.cache_control.invalidate(scope)).forgotten == list(is_kept.values()).count(False)
    assert {uri: library.etag(library.find(uri), Form.RAW) is not None for uri in is_kept} == is_kept
    assert {uri: await is_hit(library, uri) for uri in is_kept} == is_kept


async def test_the_sections_of_what_is_forgotten_are_forgotten(library: Path) -> None:
    source = CountingSource(library)
    section = f"{PYTHON}?section=other"
    async with serving(library, source=source) as served:
        await read(served.library, section)
        assert await is_hit(served.library, section)
        await served.app.cache_control.invalidate(Invalidation(uri=PYTHON))
        assert not await is_hit(served.library, section)


async def test_many_uris_are_forgotten_while_others_are_read(library: Path) -> None:
    plant(library, {f"many/{number}.md": "# Many\n" for number in range(1200)})
    async with serving(library) as served:
        for info in served.library.catalog.infos():
            await read(served.library, info.uri)
        held = len(served.library.memory)
        assert held > 500
        assert (await served.app.cache_control.invalidate(ALL)).forgotten == held


@pytest.mark.parametrize(
    ("scope", "error"),
    [
        (Invalidation(uri="mcp://resources/nothing"), ResourceNotFound),
        (Invalidation(uri="nothing"), InvalidUri),
        (Invalidation(type="nothing"), InvalidParams),
    ],
)
async def test_an_invalidation_of_nothing_is_refused(
    served: Served, scope: Invalidation, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await served.app.cache_control.invalidate(scope)
    assert await served.library.forget(Invalidation(uri="mcp://resources/nothing")) == 0


async def test_what_is_gone_leaves_nothing_behind(library: Path) -> None:
    following: dict[str, Any] = {"watch": False, "rescan_s": 0.05}
    section = f"{PYTHON}?section=other"
    async with serving(library, **following) as served:
        info = served.library.find(PYTHON)
        for uri in (PYTHON, section):
            await read(served.library, uri)
        (library / info.path).unlink()
        await eventually(lambda: served.library.catalog.find(PYTHON) is None)
        assert served.library.etag(info, Form.RAW) is None
        assert (len(served.library.memory), served.library.memory.size_bytes) == (0, 0)


async def test_while_hits_are_compared_with_the_source_no_tag_answers_for_it(served: Served) -> None:
    library = served.library
    info = library.find(CORE_URI)
    await read(library)
    library.recheck(rechecks=True)
    assert library.etag(info, Form.RAW) is None
    library.recheck(rechecks=False)
    await served.app.cache_control.invalidate(ALL)
    await read(library)
    assert library.etag(info, Form.RAW) is not None


async def test_what_is_forgotten_stays_as_the_last_good_content(library: Path) -> None:
    async with serving(library) as served:
        good = await read(served.library)
        await served.app.cache_control.invalidate(ALL)
        kept = served.library.memory.last_good(CORE_URI)
        assert kept is not None
        assert kept.forms[Form.RAW] is good.representation
        replace(library / "sdlc-core.md", "# New\n")
        assert (await read(served.library)).representation.body == b"# New\n"
