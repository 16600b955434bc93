import asyncio
from pathlib import Path

import pytest

from choirbook.documents.sections.section_uris import section_info
from choirbook.errors import SectionNotFound
from choirbook.library.outline_loader import OutlineLoader
from choirbook.model import ResourceInfo, SourceChanged
from choirbook.runtime.threads import Threads
from tests.support.sources import CountingSource
from tests.support.trees import plant, replace

TEXT = "# A\n\n## One\n\nText.\n\n## Two\n"
URI = "mcp://resources/a"


@pytest.fixture
def source(tmp_path: Path) -> CountingSource:
    return CountingSource(plant(tmp_path, {"a.md": TEXT}))


@pytest.fixture
def outline_loader(source: CountingSource) -> OutlineLoader:
    return OutlineLoader(source, Threads(2))


@pytest.fixture
def document(source: CountingSource) -> ResourceInfo:
    entry = source.stat("a.md")
    return ResourceInfo(URI, URI, "a.md", "a", "A", "", "file", "text/markdown", entry.size, 0, entry.version)


async def test_a_document_is_parsed_once_for_all_who_ask(
    source: CountingSource, outline_loader: OutlineLoader, document: ResourceInfo
) -> None:
    assert outline_loader.known(document) is None
    outlines = await asyncio.gather(*(outline_loader.parsed(document) for _ in range(100)))
    assert len({id(outline) for outline in outlines}) == 1
    assert source.reads == 1
    assert outline_loader.known(document) is outlines[0] is await outline_loader.parsed(document)


async def test_a_section_is_resolved_by_the_outline(
    outline_loader: OutlineLoader, document: ResourceInfo
) -> None:
    unresolved = section_info(document, "Two", None)
    resolved = await outline_loader.resolved(unresolved)
    assert resolved.section is not None
    assert (resolved.section.slug, resolved.uri) == ("two", f"{URI}?section=two")
    assert await outline_loader.resolved(resolved) is resolved
    with pytest.raises(SectionNotFound):
        await outline_loader.resolved(section_info(document, "three", None))


async def test_another_version_is_not_parsed_in_its_place(
    outline_loader: OutlineLoader, document: ResourceInfo, tmp_path: Path
) -> None:
    replace(tmp_path / "a.md", "# B\n")
    with pytest.raises(SourceChanged):
        await outline_loader.parsed(document)


async def test_what_is_dropped_tells_where_its_sections_were(
    outline_loader: OutlineLoader, document: ResourceInfo
) -> None:
    assert outline_loader.discard(URI) == []
    await outline_loader.parsed(document)
    assert set(outline_loader.discard(URI)) >= {f"{URI}?section=one", f"{URI}?section=two"}
    assert outline_loader.known(document) is None
    await outline_loader.close()
