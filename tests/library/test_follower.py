"""Changes show within a second with the watcher, and by scans without it.

The waits below end as soon as the change shows; their deadline is only for a busy machine.
"""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from choirbook.catalog.rules import parse_rules
from choirbook.model import Change
from tests.support.apps import Served, has, lacks, serving
from tests.support.trees import ALL_MARKDOWN, CORE, CORE_PATH, CORE_URI, plant, replace
from tests.support.waiting import eventually

PROBE_S = 0.3
"""A probe that was not told of by then was written before the watch began."""

WAYS: dict[str, dict[str, Any]] = {
    "watched": {"watch": True, "rescan_s": 3600.0},
    "scanned": {"watch": False, "rescan_s": 0.05},
}


@pytest.fixture(params=list(WAYS.values()), ids=list(WAYS))
async def followed(request: pytest.FixtureRequest, library: Path) -> AsyncIterator[Served]:
    async with serving(library, **request.param) as served:
        if request.param["watch"]:
            await _watch_begun(served)
        yield served


async def _watch_begun(served: Served) -> None:
    """Wait until the system tells of changes: its watches are set some time after the start."""
    probe = served.root / "probe.md"

    def is_told() -> bool:
        if served.library.catalog.document("probe.md") is None:
            # Read the time again and again, and the file would never be quiet.
            if not probe.exists() or time.time() - probe.stat().st_mtime > PROBE_S:
                probe.write_bytes(os.urandom(4))
            return False
        return True

    await eventually(is_told)
    probe.unlink()
    await eventually(lambda: served.library.catalog.document("probe.md") is None)


async def test_an_edit_in_place_shows(followed: Served) -> None:
    (followed.root / "sdlc-core.md").write_text("# Edited\n\nText.\n")

    async def shows() -> bool:
        return await followed.text(CORE_PATH) == "# Edited\n\nText.\n"

    await eventually(shows)
    info = followed.library.find(CORE_URI)
    assert (info.title, info.size) == ("Edited", 16)


async def test_an_atomic_replacement_shows(followed: Served) -> None:
    replace(followed.root / "sdlc-core.md", "# Replaced\n")

    async def shows() -> bool:
        return await followed.text(CORE_PATH) == "# Replaced\n"

    await eventually(shows)


async def test_a_new_file_shows(followed: Served) -> None:
    (followed.root / "patterns/go/patterns-new.md").write_text("# New\n")
    await eventually(has(followed, "mcp://resources/patterns/go/new"))


async def test_a_new_directory_of_files_shows(followed: Served) -> None:
    plant(followed.root / "patterns/rust/deep", {"a.md": "# A", "b.md": "# B"})
    await eventually(has(followed, "mcp://resources/files/patterns/rust/deep/a.md"))
    await eventually(has(followed, "mcp://resources/files/patterns/rust/deep/b.md"))


async def test_an_edit_in_a_new_directory_shows(followed: Served) -> None:
    path = followed.root / "fresh/a.md"
    plant(followed.root, {"fresh/a.md": "# A"})
    await eventually(has(followed, "mcp://resources/files/fresh/a.md"))
    replace(path, "# Edited\n")
    await eventually(lambda: followed.library.find("mcp://resources/files/fresh/a.md").title == "Edited")


async def test_a_deletion_shows(followed: Served) -> None:
    (followed.root / "sdlc-core.md").unlink()
    await eventually(lacks(followed, CORE_URI))
    assert (await followed.get(CORE_PATH)).status_code == 404


async def test_a_renamed_file_shows(followed: Served) -> None:
    go = followed.root / "patterns/go"
    (go / "patterns-core.md").rename(go / "patterns-basics.md")
    await eventually(has(followed, "mcp://resources/patterns/go/basics"))
    await eventually(lacks(followed, "mcp://resources/patterns/go/core"))


async def test_a_renamed_directory_shows(followed: Served) -> None:
    (followed.root / "patterns/go").rename(followed.root / "patterns/golang")
    await eventually(has(followed, "mcp://resources/patterns/golang/core"))
    await eventually(lacks(followed, "mcp://resources/patterns/go/core"))


async def test_a_directory_that_is_moved_away_shows(followed: Served, tmp_path: Path) -> None:
    (followed.root / "patterns").rename(tmp_path / "elsewhere")
    await eventually(lacks(followed, "mcp://resources/patterns/go/core"))
    await eventually(lacks(followed, "mcp://resources/patterns/core"))


async def test_a_directory_that_takes_the_place_of_a_file_shows(followed: Served, tmp_path: Path) -> None:
    ready = plant(tmp_path / "ready", {"a.md": "x"})
    (followed.root / "sdlc-core.md").unlink()
    ready.rename(followed.root / "sdlc-core.md")
    await eventually(lacks(followed, CORE_URI))
    await eventually(has(followed, "mcp://resources/files/sdlc-core.md/a.md"))


async def test_new_rules_take_effect_and_their_removal_too(followed: Served) -> None:
    (followed.root / "choirbook.toml").write_text(ALL_MARKDOWN)
    await eventually(has(followed, "mcp://resources/notes/sdlc-core"))
    assert lacks(followed, CORE_URI)()
    (followed.root / "choirbook.toml").unlink()
    await eventually(has(followed, CORE_URI))
    assert lacks(followed, "mcp://resources/notes/sdlc-core")()


BROKEN = ["name = ", "collection = [1]", "a = " + "[" * 5000, "name = 'x'", ALL_MARKDOWN + "color = 'red'\n"]


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
async def test_broken_rules_change_nothing_and_following_goes_on(followed: Served, text: str) -> None:
    (followed.root / "choirbook.toml").write_text(text)
    # A file that is seen was seen by a scan that looked at the rules as well, at the latest the second.
    for name in ("one", "two"):
        plant(followed.root, {f"{name}.txt": "x"})
        await eventually(has(followed, f"mcp://resources/files/{name}.txt"))
    assert has(followed, CORE_URI)()
    (followed.root / "choirbook.toml").write_text(ALL_MARKDOWN)
    await eventually(has(followed, "mcp://resources/notes/sdlc-core"))


async def test_rules_that_are_not_utf_8_change_nothing(followed: Served) -> None:
    (followed.root / "choirbook.toml").write_bytes(b"name = '\xff'")
    plant(followed.root, {"one.txt": "x"})
    await eventually(has(followed, "mcp://resources/files/one.txt"))
    assert has(followed, CORE_URI)()


async def test_what_is_ignored_from_now_on_goes(followed: Served) -> None:
    (followed.root / ".choirbookignore").write_text("patterns/\n")
    await eventually(lacks(followed, "mcp://resources/patterns/go/core"))
    (followed.root / ".choirbookignore").unlink()
    await eventually(has(followed, "mcp://resources/patterns/go/core"))


async def _every_uri_until(served: Served, marker: str) -> set[str]:
    """Return all URIs that were ever served until a file that is planted now shows, and a bit longer."""
    ever: set[str] = set()
    served.library.catalog.listen(lambda change: ever.update(change.added, change.updated))
    for number in range(3):
        plant(served.root, {f"{marker}{number}.md": "x"})
        await eventually(lambda number=number: any(f"{marker}{number}" in uri for uri in ever))  # type: ignore[misc]
    return {uri for uri in ever if marker not in uri and uri != "mcp://resources/notes/probe"}


async def test_an_ignored_file_is_not_served_when_it_is_edited(library: Path) -> None:
    plant(library, {".choirbookignore": "drafts/\n", "drafts/secret.md": "# Not yet\n"})
    async with serving(library, watch=True, rescan_s=1.0) as served:
        await _watch_begun(served)
        (library / "drafts/secret.md").write_text("# Still not\n")
        (library / "drafts/other.md").write_text("# Nor this\n")
        assert await _every_uri_until(served, "marker") == set()


async def test_the_list_of_what_is_ignored_is_not_served_when_it_is_edited(library: Path) -> None:
    plant(library, {".choirbookignore": "drafts/\n"})
    async with serving(library, watch=True, rescan_s=1.0) as served:
        await _watch_begun(served)
        (library / ".choirbookignore").write_text("drafts/\nmore/\n")
        assert await _every_uri_until(served, "marker") == set()


async def test_a_hidden_file_is_not_served_when_it_is_edited_though_links_are_followed(library: Path) -> None:
    """There, events of hidden directories count: Kubernetes publishes by swapping `..data`."""
    plant(library, {"choirbook.toml": "follow_links = true\n" + ALL_MARKDOWN, ".git/secret.md": "# Hidden\n"})
    async with serving(library, watch=True, rescan_s=1.0) as served:
        await _watch_begun(served)
        (library / ".git/secret.md").write_text("# Still hidden\n")
        (library / ".other.md").write_text("# Hidden too\n")
        assert await _every_uri_until(served, "marker") == set()


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """Return a library as Kubernetes mounts one."""
    root = tmp_path / "mounted"
    plant(root / "..first", {"a.md": "# First\n"})
    (root / "..data").symlink_to("..first")
    (root / "a.md").symlink_to("..data/a.md")
    return plant(root, {"choirbook.toml": "follow_links = true\n" + ALL_MARKDOWN})


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_a_new_version_of_a_kubernetes_mount_shows(mounted: Path, way: dict[str, Any]) -> None:
    async with serving(mounted, **way) as served:
        uri = "mcp://resources/notes/a"
        assert served.library.find(uri).title == "First"
        if way["watch"]:
            await _watch_begun(served)
        plant(mounted / "..second", {"a.md": "# Second\n"})
        _point(mounted / "..data", "..second")
        await eventually(lambda: served.library.find(uri).title == "Second")
        assert len(served.library.catalog) == 1


def _point(link: Path, target: str) -> None:
    """Point a link at another target, in one step."""
    fresh = link.with_name("..fresh")
    fresh.symlink_to(target)
    fresh.replace(link)


async def test_a_swapped_root_shows(library: Path, tmp_path: Path) -> None:
    async with serving(library, watch=False, rescan_s=0.05) as served:
        os.rename(library, tmp_path / "old")  # noqa: PTH104 - of a path there is no asynchronous way
        plant(library, {"new.txt": "x"})
        await eventually(has(served, "mcp://resources/files/new.txt"))
        await eventually(lacks(served, CORE_URI))


async def test_readers_are_answered_through_a_mass_change_which_the_feed_tells_exactly(
    library: Path,
) -> None:
    count = 2000
    plant(library, {f"mass/{number}.md": "# Old\n" for number in range(count)})
    async with serving(library, watch=False, rescan_s=0.05) as served:
        heard: list[Change] = []
        generation = served.library.catalog.generation
        served.library.catalog.listen(heard.append)
        for number in range(0, count, 2):
            replace(library / f"mass/{number}.md", "# Newer\n")
        for number in range(1, count, 2):
            (library / f"mass/{number}.md").unlink()

        async def is_over() -> bool:
            assert await served.text(CORE_PATH) == CORE
            removed = sum(len(change.removed) for change in heard)
            return removed + sum(len(change.updated) for change in heard) >= count

        await eventually(is_over)
        removed = [uri for change in heard for uri in change.removed]
        updated = [uri for change in heard for uri in change.updated]
        prefix = "mcp://resources/files/mass"
        assert sorted(removed) == sorted(f"{prefix}/{number}.md" for number in range(1, count, 2))
        assert sorted(updated) == sorted(f"{prefix}/{number}.md" for number in range(0, count, 2))
        assert [change.generation for change in heard] == [
            generation + number for number in range(1, len(heard) + 1)
        ]
        assert served.library.catalog.count("file") == count // 2 + 1


async def test_rules_that_ask_to_follow_links_take_effect(library: Path) -> None:
    """`follow_links` itself waits for the next start; all other rules do not."""
    async with serving(library, watch=False, rescan_s=0.05) as served:
        plant(library, {"choirbook.toml": "follow_links = true\n" + ALL_MARKDOWN})
        await eventually(has(served, "mcp://resources/notes/sdlc-core"))
        assert served.library.catalog.rules.follow_links


async def test_a_file_that_comes_and_goes_is_forgotten(library: Path) -> None:
    async with serving(library, watch=True, rescan_s=0.1) as served:
        for number in range(20):
            plant(library, {f"brief{number}.txt": "x"})
            (library / f"brief{number}.txt").unlink()
        plant(library, {"marker.txt": "x"})
        await eventually(has(served, "mcp://resources/files/marker.txt"))
        await eventually(lambda: served.library.catalog.count("file") == 2)


async def test_a_scan_can_be_asked_for(library: Path) -> None:
    async with serving(library) as served:
        plant(library, {"new.txt": "x"})
        served.library.follower.scan_soon()
        await eventually(has(served, "mcp://resources/files/new.txt"))


async def test_waiting_for_a_file_ends_when_it_is_whole(library: Path) -> None:
    async with serving(library) as served:
        replace(library / "sdlc-core.md", "# New\n")
        assert await served.library.follower.settled("sdlc-core.md", 10.0)
        assert served.library.find(CORE_URI).title == "New"


async def test_waiting_for_a_file_has_a_deadline(library: Path) -> None:
    async with serving(library) as served:
        os.truncate(library / "sdlc-core.md", 0)
        assert not await served.library.follower.settled("sdlc-core.md", 0.1)


def test_the_rules_of_these_tests_are_good() -> None:
    assert parse_rules(ALL_MARKDOWN, "x").claim("a/b.md") is not None
