"""Rules that cannot be used on a running server: the old ones stay, everybody is told, following goes on."""

import asyncio
import math
from pathlib import Path

import httpx
import pytest

from choirbook.library.rules_file import RulesFile
from choirbook.sources.quiet_period import GONE_QUIET_S
from tests.support.apps import BASE, application, has, serving
from tests.support.trees import ALL_MARKDOWN, again_and_again, plant, replace
from tests.support.waiting import eventually

BROKEN: dict[str, tuple[str, str | bytes, str]] = {
    "no TOML": ("choirbook.toml", "name = ", "choirbook.toml is not valid TOML"),
    "a number of many digits": ("choirbook.toml", "a = " + "1" * 5000, "choirbook.toml is not valid TOML"),
    "not UTF-8": ("choirbook.toml", b"name = '\xff'", "choirbook.toml is not UTF-8"),
    "too long": ("choirbook.toml", "#" * (1024 * 1024 + 1), "choirbook.toml cannot be read"),
    "an unknown key": ("choirbook.toml", ALL_MARKDOWN + "a = 1\n", "choirbook.toml, line 5: "),
    "ignoring nothing": (".choirbookignore", "x\n!\n", ".choirbookignore, line 2: "),
    "a backslash": (".choirbookignore", "\\", ".choirbookignore, line 1: "),
    "a range": (".choirbookignore", "[z-a]", ".choirbookignore, line 1: "),
    "ignored below": ("patterns/.choirbookignore", "[a", "patterns/.choirbookignore, line 1: "),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_broken_rules_are_reported_and_the_old_ones_stay(library: Path, case: str) -> None:
    name, text, reason = BROKEN[case]
    good = ALL_MARKDOWN if name == "choirbook.toml" else "drafts/\n"
    plant(library, {name: good, "drafts/a.md": "x", "patterns/drafts/a.md": "x"})
    async with serving(library, watch=False, rescan_s=0.05) as served:
        before = set(served.library.catalog.uris())
        assert (await served.get("/readyz")).json()["degraded"] == []
        replace(library / name, text)
        await eventually(lambda: served.library.follower.rule_faults)
        ready = await served.get("/readyz")
        (told,) = ready.json()["degraded"]
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        assert told.startswith(reason)
        assert str(library) not in ready.text
        served.app._telemetry.observer.refresh_gauges()  # noqa: SLF001 - its timer would do so within a second
        assert "choirbook_rules_up 0.0" in await served.metrics()
        assert set(served.library.catalog.uris()) == before
        plant(library, {"after.md": "# After"})
        await eventually(lambda: served.library.catalog.document("after.md") is not None)
        replace(library / name, good)
        await eventually(lambda: not served.library.follower.rule_faults)
        served.app._telemetry.observer.refresh_gauges()  # noqa: SLF001 - as above
        assert "choirbook_rules_up 1.0" in await served.metrics()


async def test_a_server_that_starts_with_a_broken_ignore_file_says_why_it_is_not_ready(library: Path) -> None:
    plant(library, {".choirbookignore": "[z-a]\n"})
    app = await asyncio.to_thread(lambda: application(library, rescan_s=0.02))
    transport = httpx.ASGITransport(app)
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        await eventually(lambda: app.library.follower.trouble)
        waiting = await client.get("/readyz")
        assert waiting.status_code == 503
        assert waiting.json()["reason"].startswith(".choirbookignore, line 1: ")
        replace(library / ".choirbookignore", "drafts/\n")
        await eventually(lambda: app.library.is_ready)


def test_a_rules_file_that_is_gone_or_empty_for_a_moment_counts_all_the_while(library: Path) -> None:
    path = plant(library, {"choirbook.toml": ALL_MARKDOWN}) / "choirbook.toml"
    rules_file = RulesFile(library, ALL_MARKDOWN)
    for act in (path.unlink, lambda: path.write_text(""), lambda: path.write_text("\n")):
        act()
        assert rules_file.look() is None
        path.write_text(ALL_MARKDOWN)
        assert rules_file.look() is None
        assert (rules_file.fault, rules_file.due_s) == ("", math.inf)


def test_rules_that_are_written_again_and_again_wait_until_they_are_quiet(library: Path) -> None:
    rules_file = RulesFile(library, None)
    path = library / "choirbook.toml"
    with again_and_again(lambda number: replace(path, ALL_MARKDOWN + f"# {number}\n")):
        while not path.exists():
            assert rules_file.look() is None
        assert [rules_file.look() for _ in range(3)] == [None] * 3
    assert rules_file.look() is not None
    assert rules_file.fault == ""


def test_rules_that_stay_away_give_way_to_the_default_ones(library: Path) -> None:
    rules_file = RulesFile(library, ALL_MARKDOWN)
    assert rules_file.look() is None
    assert rules_file.due_s < float("inf")
    found = None
    while found is None:
        found = rules_file.look()
    assert found.text is None
    assert GONE_QUIET_S >= 1.0


async def test_a_byte_order_mark_before_the_rules_is_passed_over(library: Path) -> None:
    plant(library, {"choirbook.toml": "\ufeff" + ALL_MARKDOWN})
    async with serving(library) as served:
        assert has(served, "mcp://resources/notes/sdlc-core")()


async def test_an_empty_file_that_is_touched_stays_what_it_is(library: Path) -> None:
    plant(library, {"empty.md": ""})
    async with serving(library, watch=False, rescan_s=0.01) as served:
        uri = "mcp://resources/files/empty.md"
        before = served.library.find(uri)
        (library / "empty.md").touch()
        await eventually(lambda: served.library.find(uri).version != before.version)
        assert served.library.find(uri).size == 0
        assert (await served.get("/mcp/resources/files/empty.md", accept="text/*")).status_code == 200


async def test_a_byte_order_mark_before_the_first_heading_is_not_part_of_the_title(library: Path) -> None:
    plant(library, {"marked.md": "\ufeff# Marked\n\nText.\n\n## Part\n\nMore.\n"})
    async with serving(library) as served:
        uri = "mcp://resources/files/marked.md"
        info = served.library.find(uri)
        assert (info.title, info.description) == ("Marked", "Text.")
        outline = await served.library.outline(info)
        assert [section.title for section in outline.sections] == ["Marked", "Part"]
