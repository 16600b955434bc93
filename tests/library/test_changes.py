"""Decisions about looks at the files of a real directory."""

from pathlib import Path
from time import monotonic

import pytest

from choirbook.catalog.rules import default_rules
from choirbook.library.changes import Judge, Judged
from choirbook.library.debounce import Pending
from choirbook.library.scanner import load_catalog, look
from choirbook.model import SourceEntry
from choirbook.sources.filesystem import FilesystemSource
from tests.support.sources import directory
from tests.support.trees import again_and_again, replace
from tests.support.waiting import eventually_sync

CORE = "sdlc-core.md"


@pytest.fixture
def source(library: Path) -> FilesystemSource:
    return directory(library)


@pytest.fixture
def judge(source: FilesystemSource) -> Judge:
    return Judge(source, load_catalog(source, default_rules("library"))[0])


def entry_of(source: FilesystemSource) -> SourceEntry:
    entry = look(source, {CORE})[CORE]
    assert entry is not None
    return entry


def judged(judge: Judge, waits: Pending | None = None, elsewhere: str | None = None) -> Judged:
    waiting = {} if waits is None else {CORE: waits}
    settled = {} if elsewhere is None else {CORE: elsewhere}
    return judge.look({CORE}, waiting, settled)


def test_what_did_not_change_makes_no_draft(judge: Judge) -> None:
    assert judged(judge) == Judged(frozenset({CORE}), {}, {}, {}, None)


def test_a_change_waits_and_is_believed_when_it_was_quiet(judge: Judge, library: Path) -> None:
    replace(library / CORE, "# New\n")
    first = judged(judge)
    assert (list(first.pending), first.adopted, first.draft) == ([CORE], {}, None)
    quiet = first.pending[CORE]._replace(due_s=monotonic())
    second = judged(judge, quiet)
    assert (second.pending, list(second.adopted)) == ({}, [CORE])
    assert second.draft is not None


def test_what_another_host_saw_whole_is_believed_at_once(
    judge: Judge, source: FilesystemSource, library: Path
) -> None:
    replace(library / CORE, "# New\n")
    version = source.portable(entry_of(source).version)
    assert list(judged(judge, elsewhere=version).adopted) == [CORE]
    assert judged(judge, elsewhere="another").adopted == {}


def test_a_deletion_waits_like_any_change(judge: Judge, library: Path) -> None:
    (library / CORE).unlink()
    first = judged(judge)
    assert first.pending[CORE].entry is None
    assert judged(judge, first.pending[CORE]._replace(due_s=monotonic())).adopted == {CORE: None}


def test_a_file_that_never_comes_to_rest_is_captured(judge: Judge, library: Path) -> None:
    waits: Pending | None = None

    def captured() -> Judged | None:
        nonlocal waits
        found = judged(judge, waits)
        waits = found.pending.get(CORE)
        return found if found.captured else None

    with again_and_again(lambda _: replace(library / CORE, "# Restless\n")):
        found = eventually_sync(captured)
    assert found is not None
    assert (found.pending, found.adopted) == ({}, {})
    assert found.captured[CORE].title == "Restless"
    assert found.draft is not None


def test_only_a_file_that_was_served_can_have_gone(judge: Judge, library: Path) -> None:
    assert not judge.look({CORE, "never-there.md"}, {}, {}).has_gone
    (library / CORE).unlink()
    assert judge.look({CORE}, {}, {}).has_gone


def test_survey_leaves_out_what_is_as_it_was_known(judge: Judge, library: Path) -> None:
    assert judge.survey({}, {}).paths == frozenset()
    replace(library / CORE, "# New\n")
    (library / "patterns/go/patterns-core.md").unlink()
    found = judge.survey({}, {})
    assert found.paths == {CORE, "patterns/go/patterns-core.md"}
    assert set(found.pending) == found.paths
    assert found.adopted == {}
    assert found.has_gone
    assert found.cost_s > 0.0
