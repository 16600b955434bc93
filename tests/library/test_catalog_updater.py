"""Adoption of changes of files in a real directory; others that serve it say which must wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from math import inf
from pathlib import Path
from time import monotonic
from typing import ParamSpec, TypeVar

import pytest

from choirbook.catalog.catalog import Catalog
from choirbook.catalog.changeset import Changeset
from choirbook.catalog.rules import default_rules
from choirbook.library.catalog_updater import CatalogUpdater
from choirbook.library.change_detector import ChangeDetector, DetectedChanges
from choirbook.library.scanner import load_catalog, scan
from choirbook.model import SourceEntry
from choirbook.runtime.threads import Threads
from choirbook.sources.filesystem import FilesystemSource
from tests.support.sources import EIO, MIB, directory
from tests.support.trees import replace
from tests.support.waiting import eventually

CORE = "sdlc-core.md"

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class CountingThreads(Threads):
    """Threads, and how often something was handed over to them."""

    hops = 0

    async def run(
        self, call: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        self.hops += 1
        return await super().run(call, *args, **kwargs)


class Bench:
    """Adopts changes of a directory into its catalog."""

    def __init__(self, root: Path, source: FilesystemSource, catalog: Catalog) -> None:
        self.threads = CountingThreads(1)
        self.root = root
        self.source = source
        self.catalog = catalog
        self.updater = CatalogUpdater(ChangeDetector(source, catalog), catalog, self.threads)

    @property
    def title(self) -> str | None:
        """Title of the document that is edited here, from the catalog."""
        document = self.catalog.document(CORE)
        return None if document is None else document.title

    async def look(self, *paths: str) -> DetectedChanges:
        detected = await self.updater.look(set(paths or (CORE,)))
        await self.updater.apply(detected)
        return detected

    def close(self) -> None:
        self.threads.close()


class UnlookableSource(FilesystemSource):
    """A directory whose files cannot be looked at, once that is asked for."""

    fails = False

    def stat(self, path: str) -> SourceEntry:
        if self.fails:
            raise EIO
        return super().stat(path)


class Others:
    """Others that have changes of some files wait."""

    def __init__(self, due_s: Mapping[str, float]) -> None:
        self._due_s = due_s
        self.asked: list[Changeset] = []

    async def join(self) -> None:
        """Nobody is there."""

    async def joined(self, cost_s: float) -> None:
        """Nobody is told."""

    async def agree(self, changeset: Changeset) -> Mapping[str, float]:
        self.asked.append(changeset)
        return self._due_s


@pytest.fixture
def bench(library: Path) -> Iterator[Bench]:
    source = directory(library)
    bench = Bench(library, source, load_catalog(source, default_rules("library"))[0])
    yield bench
    bench.close()


@pytest.fixture
def empty_bench(library: Path) -> Iterator[Bench]:
    bench = Bench(library, directory(library), Catalog(default_rules("library")))
    yield bench
    bench.close()


@pytest.fixture
def unlookable(library: Path) -> UnlookableSource:
    return UnlookableSource(library, max_document_bytes=MIB)


@pytest.fixture
def failing_bench(library: Path, unlookable: UnlookableSource) -> Iterator[Bench]:
    bench = Bench(library, unlookable, load_catalog(unlookable, default_rules("library"))[0])
    yield bench
    bench.close()


async def test_a_change_is_pending_until_it_was_quiet(bench: Bench) -> None:
    before = bench.title
    replace(bench.root / CORE, "# New\n")
    await bench.look()
    assert CORE in bench.updater
    assert bench.title == before
    due_s = bench.updater.due_s
    assert bench.updater.due(due_s - 0.01) == set()
    assert bench.updater.due(due_s) == {CORE}

    async def is_adopted() -> bool:
        await bench.look()
        return CORE not in bench.updater

    await eventually(is_adopted)
    assert (bench.title, bench.updater.due_s) == ("New", inf)


async def test_what_another_host_has_seen_whole_is_believed_without_a_wait(bench: Bench) -> None:
    replace(bench.root / CORE, "# New\n")
    entry = (await bench.look()).pending[CORE].entry
    assert entry is not None
    assert CORE in bench.updater
    bench.updater.trust({CORE: bench.source.portable(entry.version)})
    await bench.look()
    assert (bench.title, CORE in bench.updater) == ("New", False)


async def test_of_another_version_than_that_nothing_is_believed(bench: Bench) -> None:
    before = bench.title
    bench.updater.trust({CORE: "of another version"})
    replace(bench.root / CORE, "# New\n")
    await bench.look()
    assert (bench.title, CORE in bench.updater) == (before, True)


async def test_what_others_have_wait_is_pending_until_then(bench: Bench) -> None:
    before, others = bench.title, Others({CORE: monotonic() + 3600.0})
    bench.updater.other_workers = others
    replace(bench.root / CORE, "# New\n")

    async def is_asked() -> bool:
        await bench.look()
        return bool(others.asked)

    await eventually(is_asked)
    assert bench.title == before
    assert bench.updater.due(monotonic() + 60.0) == set()
    assert bench.updater.due(monotonic() + 3600.0) == {CORE}


async def test_what_others_have_not_wait_is_made_though_the_rest_is(bench: Bench) -> None:
    new = "new.md"
    others = Others({CORE: monotonic() + 3600.0})
    bench.updater.other_workers = others
    replace(bench.root / CORE, "# New\n")
    (bench.root / new).write_text("# Other\n")

    async def is_there() -> bool:
        await bench.look(CORE, new)
        return bench.catalog.document(new) is not None

    await eventually(is_there)
    assert CORE in bench.updater
    assert new not in bench.updater


async def test_a_file_that_is_given_up_is_no_longer_due(bench: Bench) -> None:
    replace(bench.root / CORE, "# New\n")
    await bench.look()
    bench.updater.drop(CORE)
    bench.updater.drop("never-seen.md")
    assert CORE not in bench.updater
    assert bench.updater.due_s == inf


async def test_the_first_look_is_adopted_without_a_wait_and_nobody_is_asked(empty_bench: Bench) -> None:
    others = Others({})
    empty_bench.updater.other_workers = others
    found = await asyncio.to_thread(scan, empty_bench.source)
    await empty_bench.updater.apply_first(found.entries)
    assert empty_bench.title is not None
    assert others.asked == []


async def test_a_look_that_shows_nothing_changes_nothing(bench: Bench) -> None:
    generation = bench.catalog.generation
    await bench.look()
    assert bench.catalog.generation == generation


async def test_pass_over_an_edit_is_one_hop_to_a_thread(bench: Bench) -> None:
    """One when the edit is seen, one when it has been quiet: both look, judge and draft."""
    replace(bench.root / CORE, "# New\n")
    await bench.look()
    assert (CORE in bench.updater, bench.threads.hops) == (True, 1)
    bench.updater.trust({CORE: bench.source.portable(bench.source.stat(CORE).version)})
    await bench.look()
    assert (bench.title, bench.threads.hops) == ("New", 2)


async def test_scan_that_finds_an_edit_is_one_hop_to_a_thread(bench: Bench) -> None:
    replace(bench.root / CORE, "# New\n")
    bench.updater.trust({CORE: bench.source.portable(bench.source.stat(CORE).version)})
    await bench.updater.apply(await bench.updater.scan())
    assert (bench.title, bench.threads.hops) == ("New", 1)


async def test_file_that_cannot_be_looked_at_is_given_up(
    failing_bench: Bench, unlookable: UnlookableSource
) -> None:
    replace(failing_bench.root / CORE, "# New\n")
    await failing_bench.look()
    assert CORE in failing_bench.updater
    unlookable.fails = True
    detected = await failing_bench.look()
    assert (detected.paths, CORE in failing_bench.updater) == (frozenset(), False)
