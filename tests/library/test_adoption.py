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
from choirbook.catalog.changeset import Draft
from choirbook.catalog.rules import default_rules
from choirbook.library.adoption import Adopting
from choirbook.library.changes import Judge, Judged
from choirbook.library.scanner import load_catalog, survey
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
        self.adopting = Adopting(Judge(source, catalog), catalog, self.threads)

    @property
    def title(self) -> str | None:
        """Title of the document that is edited here, from the catalog."""
        document = self.catalog.document(CORE)
        return None if document is None else document.title

    async def look(self, *paths: str) -> Judged:
        judged = await self.adopting.look(set(paths or (CORE,)))
        await self.adopting.adopt(judged)
        return judged

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
        self.asked: list[Draft] = []

    async def join(self) -> None:
        """Nobody is there."""

    async def joined(self, cost_s: float) -> None:
        """Nobody is told."""

    async def agree(self, draft: Draft) -> Mapping[str, float]:
        self.asked.append(draft)
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
    assert CORE in bench.adopting
    assert bench.title == before
    due_s = bench.adopting.due_s
    assert bench.adopting.due(due_s - 0.01) == set()
    assert bench.adopting.due(due_s) == {CORE}

    async def is_adopted() -> bool:
        await bench.look()
        return CORE not in bench.adopting

    await eventually(is_adopted)
    assert (bench.title, bench.adopting.due_s) == ("New", inf)


async def test_what_another_host_has_seen_whole_is_believed_without_a_wait(bench: Bench) -> None:
    replace(bench.root / CORE, "# New\n")
    entry = (await bench.look()).pending[CORE].entry
    assert entry is not None
    assert CORE in bench.adopting
    bench.adopting.trust({CORE: bench.source.portable(entry.version)})
    await bench.look()
    assert (bench.title, CORE in bench.adopting) == ("New", False)


async def test_of_another_version_than_that_nothing_is_believed(bench: Bench) -> None:
    before = bench.title
    bench.adopting.trust({CORE: "of another version"})
    replace(bench.root / CORE, "# New\n")
    await bench.look()
    assert (bench.title, CORE in bench.adopting) == (before, True)


async def test_what_others_have_wait_is_pending_until_then(bench: Bench) -> None:
    before, others = bench.title, Others({CORE: monotonic() + 3600.0})
    bench.adopting.others = others
    replace(bench.root / CORE, "# New\n")

    async def is_asked() -> bool:
        await bench.look()
        return bool(others.asked)

    await eventually(is_asked)
    assert bench.title == before
    assert bench.adopting.due(monotonic() + 60.0) == set()
    assert bench.adopting.due(monotonic() + 3600.0) == {CORE}


async def test_what_others_have_not_wait_is_made_though_the_rest_is(bench: Bench) -> None:
    new = "new.md"
    others = Others({CORE: monotonic() + 3600.0})
    bench.adopting.others = others
    replace(bench.root / CORE, "# New\n")
    (bench.root / new).write_text("# Other\n")

    async def is_there() -> bool:
        await bench.look(CORE, new)
        return bench.catalog.document(new) is not None

    await eventually(is_there)
    assert CORE in bench.adopting
    assert new not in bench.adopting


async def test_a_file_that_is_given_up_is_no_longer_due(bench: Bench) -> None:
    replace(bench.root / CORE, "# New\n")
    await bench.look()
    bench.adopting.give_up(CORE)
    bench.adopting.give_up("never-seen.md")
    assert CORE not in bench.adopting
    assert bench.adopting.due_s == inf


async def test_the_first_look_is_adopted_without_a_wait_and_nobody_is_asked(empty_bench: Bench) -> None:
    others = Others({})
    empty_bench.adopting.others = others
    found = await asyncio.to_thread(survey, empty_bench.source)
    await empty_bench.adopting.adopt_unasked(found.entries)
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
    assert (CORE in bench.adopting, bench.threads.hops) == (True, 1)
    bench.adopting.trust({CORE: bench.source.portable(bench.source.stat(CORE).version)})
    await bench.look()
    assert (bench.title, bench.threads.hops) == ("New", 2)


async def test_survey_that_finds_an_edit_is_one_hop_to_a_thread(bench: Bench) -> None:
    replace(bench.root / CORE, "# New\n")
    bench.adopting.trust({CORE: bench.source.portable(bench.source.stat(CORE).version)})
    await bench.adopting.adopt(await bench.adopting.survey())
    assert (bench.title, bench.threads.hops) == ("New", 1)


async def test_file_that_cannot_be_looked_at_is_given_up(
    failing_bench: Bench, unlookable: UnlookableSource
) -> None:
    replace(failing_bench.root / CORE, "# New\n")
    await failing_bench.look()
    assert CORE in failing_bench.adopting
    unlookable.fails = True
    judged = await failing_bench.look()
    assert (judged.paths, CORE in failing_bench.adopting) == (frozenset(), False)
