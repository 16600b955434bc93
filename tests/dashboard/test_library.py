"""The library on the page, with names and texts of all scripts."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import OpenTab, Tab
from tests.support.servers import DEADLINE_S, Server, rsgi_command, running, wait_for
from tests.support.trees import plant

NAIVE = "mcp://resources/files/na%C3%AFve%20caf%C3%A9.txt"
RTL = "mcp://resources/files/hebrew.md"
GUIDE = "mcp://resources/files/guide.md"
LIBRARY = {
    "naïve café.txt": "About a zebra in a café.\n",
    # "Hello", and "this is a document".
    "hebrew.md": "# \u05e9\u05dc\u05d5\u05dd\n\n\u05d6\u05d4 \u05de\u05e1\u05de\u05da.\n\nAnd English.\n",
    "guide.md": "# Guide\n\nFirst.\n\n## Set up\n\nBring a lemur.\n\n## Tear down\n\nTake giraffes home.\n",
}


@pytest.fixture(scope="module")
def worldly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("worldly")
    with running(rsgi_command(plant(directory / "library", LIBRARY)), directory / "run") as server:
        yield server


@pytest.fixture
def tab(open_tab: OpenTab, worldly: Server) -> Iterator[Tab]:
    tab = open_tab(worldly)
    yield tab
    assert tab.complaints == []


@pytest.mark.parametrize("fragment", [NAIVE, "mcp://resources/files/naïve%20caf%c3%a9.txt"])
def test_a_name_beyond_ascii_has_its_facts_and_its_row(tab: Tab, fragment: str) -> None:
    page = tab.open(f"#{fragment}")
    expect(page.locator('#document [data-fact="Type"] dd')).to_have_text("file")
    row = page.locator('#tree a[aria-current="true"]')
    expect(row).to_have_count(1)
    expect(row).to_have_attribute("href", f"#{NAIVE}")
    expect(row.locator(".label")).to_have_text("naïve café.txt")


def test_text_from_right_to_left_runs_so(tab: Tab) -> None:
    page = tab.open(f"#{RTL}")
    expect(page.locator("#document h3")).to_have_css("direction", "rtl")
    title = page.locator(f'#tree a[href="#{RTL}"] .title')
    expect(title).to_have_css("direction", "rtl")
    preview = page.frame_locator("#document iframe")
    expect(preview.locator("h1")).to_have_css("direction", "rtl")
    expect(preview.locator("p").first).to_have_css("direction", "rtl")
    expect(preview.locator("p").last).to_have_css("direction", "ltr")


def test_a_section_that_was_found_is_opened(tab: Tab) -> None:
    page = tab.open()
    page.get_by_role("searchbox").fill("giraffes")
    hit = page.locator("#results a").filter(has_text="Tear down")
    expect(hit).to_have_attribute("href", f"#{GUIDE}?section=tear-down")
    hit.click()
    expect(page.locator("#document h3")).to_have_text("Tear down")
    preview = page.frame_locator("#document iframe")
    expect(preview.locator("body")).to_contain_text("Take giraffes home.")
    expect(preview.locator("body")).not_to_contain_text("lemur")
    expect(page.locator('#document [data-fact="Media type"] dd')).to_have_text("text/markdown")
    page.get_by_role("link", name="Guide", exact=True).first.click()
    expect(page.locator("#document h3")).to_have_text("Guide")


@pytest.mark.parametrize("place", ["search", "results"])
def test_escape_leaves_the_search(tab: Tab, place: str) -> None:
    page = tab.open(f"#{GUIDE}")
    expect(page.locator("#document h3")).to_have_text("Guide")
    page.keyboard.press("/")
    page.keyboard.type("zebra")
    expect(page.locator("#results a")).to_have_count(1)
    if place == "results":
        page.keyboard.press("ArrowDown")
        expect(page.locator("#results a").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#tree")).to_be_visible()
    expect(page.locator("#results")).to_be_hidden()
    expect(page.get_by_role("searchbox")).to_have_value("")
    expect(page.get_by_role("searchbox")).not_to_be_focused()


def test_the_page_does_not_count_its_own_requests(tab: Tab, worldly: Server) -> None:
    page = tab.open(f"#{GUIDE}")

    def total(text: str, name: str) -> float:
        return sum(float(value) for value in re.findall(rf"^{name}(?:\{{.*?\}})? (\S+)$", text, re.MULTILINE))

    def own() -> float:
        with worldly.client() as client:
            return total(client.get("/metrics").text, "choirbook_dashboard_responses_total")

    before = own()
    wait_for(lambda: own() >= before + 3, "the page asked three times more")
    expect(page.locator("#rate")).to_have_text(re.compile(r"^[0-9.]+$"))
    # Nobody else asks but for the metrics, above; ten seconds later not even that is in the figure.
    expect(page.locator("#rate")).to_have_text("0", timeout=DEADLINE_S * 1000)


def test_a_read_took_as_long_wherever_it_is_told(open_tab: OpenTab, tmp_path: Path) -> None:
    library = plant(tmp_path / "library", LIBRARY)
    with running(rsgi_command(library), tmp_path / "run") as server:
        with server.client() as client:
            assert client.get("/mcp/resources/files/guide.md").headers["x-cache"] == "miss"
        (line,) = wait_for(lambda: server.read_lines(GUIDE), "the read is told")
        page = open_tab(server).open()
        shown = page.locator("#slowest li").filter(has_text="guide.md").locator("b")
        expect(shown).to_have_attribute("title", f"{line['latency_ms']:g} ms")
        with server.client() as client:
            text = client.get("/metrics").text
        sums = re.findall(r"mcp_resource_loading_latency_seconds_sum\{[^}]*miss[^}]*\} (\S+)", text)
        assert round(sum(map(float, sums)) * 1000, 3) == line["latency_ms"]
