"""Decisions about looks at the files of a real directory."""

from pathlib import Path
from time import monotonic

import pytest

from choirbook.catalog.rules import default_rules
from choirbook.library.change_detector import ChangeDetector, DetectedChanges
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
def detector(source: FilesystemSource) -> ChangeDetector:
    return ChangeDetector(source, load_catalog(source, default_rules("library"))[0])


def entry_of(source: FilesystemSource) -> SourceEntry:
    entry = look(source, {CORE})[CORE]
    assert entry is not None
    return entry


def detected(
    detector: ChangeDetector, waits: Pending | None = None, elsewhere: str | None = None
) -> DetectedChanges:
    waiting = {} if waits is None else {CORE: waits}
    settled = {} if elsewhere is None else {CORE: elsewhere}
    return detector.look({CORE}, waiting, settled)


def test_what_did_not_change_makes_no_draft(detector: ChangeDetector) -> None:
    assert detected(detector) == DetectedChanges(frozenset({CORE}), {}, {}, {}, None)


def test_a_change_waits_and_is_believed_when_it_was_quiet(detector: ChangeDetector, library: Path) -> None:
    replace(library / CORE, "# New\n")
    first = detected(detector)
    assert (list(first.pending), first.settled, first.changeset) == ([CORE], {}, None)
    quiet = first.pending[CORE]._replace(due_s=monotonic())
    second = detected(detector, quiet)
    assert (second.pending, list(second.settled)) == ({}, [CORE])
    assert second.changeset is not None


def test_what_another_host_saw_whole_is_believed_at_once(
    detector: ChangeDetector, source: FilesystemSource, library: Path
) -> None:
    replace(library / CORE, "# New\n")
    version = source.portable(entry_of(source).version)
    assert list(detected(detector, elsewhere=version).settled) == [CORE]
    assert detected(detector, elsewhere="another").settled == {}


def test_a_deletion_waits_like_any_change(detector: ChangeDetector, library: Path) -> None:
    (library / CORE).unlink()
    first = detected(detector)
    assert first.pending[CORE].entry is None
    assert detected(detector, first.pending[CORE]._replace(due_s=monotonic())).settled == {CORE: None}


def test_a_file_that_never_comes_to_rest_is_captured(detector: ChangeDetector, library: Path) -> None:
    waits: Pending | None = None

    def captured() -> DetectedChanges | None:
        nonlocal waits
        found = detected(detector, waits)
        waits = found.pending.get(CORE)
        return found if found.captured else None

    with again_and_again(lambda _: replace(library / CORE, "# Restless\n")):
        found = eventually_sync(captured)
    assert found is not None
    assert (found.pending, found.settled) == ({}, {})
    assert found.captured[CORE].title == "Restless"
    assert found.changeset is not None


def test_only_a_file_that_was_served_can_have_gone(detector: ChangeDetector, library: Path) -> None:
    assert not detector.look({CORE, "never-there.md"}, {}, {}).has_gone
    (library / CORE).unlink()
    assert detector.look({CORE}, {}, {}).has_gone


def test_scan_leaves_out_what_is_as_it_was_known(detector: ChangeDetector, library: Path) -> None:
    assert detector.scan({}, {}).paths == frozenset()
    replace(library / CORE, "# New\n")
    (library / "patterns/go/patterns-core.md").unlink()
    found = detector.scan({}, {})
    assert found.paths == {CORE, "patterns/go/patterns-core.md"}
    assert set(found.pending) == found.paths
    assert found.settled == {}
    assert found.has_gone
    assert found.cost_s > 0.0
