"""The dashboard as a person meets it, in a real browser."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import OpenTab, Tab
from tests.dashboard.documents import HOSTILE, LIBRARY
from tests.support.servers import Server, end, message, rsgi_command, running, wait_for, write_library
from tests.support.trees import plant

CORE = "mcp://resources/sdlc/core"
PATHS = ("/mcp/resources/sdlc/core", "/mcp/resources/patterns/go/core", "/mcp/resources/patterns/python/core")


def read(server: Server, times: int) -> None:
    with server.client(fresh=True) as client:
        for number in range(times):
            assert client.get(PATHS[number % len(PATHS)]).status_code == 200


def number_in(page: Page, selector: str) -> float:
    text = page.locator(selector).inner_text().replace(",", "")
    return float(text) if re.fullmatch(r"[0-9.]+", text) else 0.0


def test_numbers_move_under_load(tab: Tab) -> None:
    page = tab.open()

    def is_moving() -> bool:
        read(tab.server, 20)
        return number_in(page, "#rate") > 1

    wait_for(is_moving, "the rate moves")
    for name in ("p50", "p95", "p99", "hits"):
        expect(page.locator(f"#{name}")).to_have_text(re.compile(r"^[0-9.]+$"))
    rows = page.locator("#types tbody tr")
    expect(rows.filter(has_text="pattern").filter(has_text="hit")).to_have_count(1)
    expect(rows.filter(has_text="sdlc").filter(has_text="hit")).to_have_count(1)
    wait_for(lambda: drawn(page, "rate-plot") >= 2, "the plot of the rate is drawn")
    wait_for(lambda: drawn(page, "latency-plot") >= 2, "the plot of the latency is drawn")
    assert page.locator("#latency-plot path.line").count() >= 3
    expect(page.locator("#rate-plot svg")).to_have_attribute("aria-label", re.compile("Last: rate"))


def drawn(page: Page, figure: str) -> int:
    # While nobody reads, nothing is added: reads go on until there is enough.
    return int(page.locator(f"#{figure} svg").get_attribute("data-points") or 0)


def test_reads_of_all_workers_are_counted(tab: Tab) -> None:
    def total() -> int:
        text = page.locator("#window").inner_text()
        found = re.search(r"([0-9,]+) reads", text)
        return int(found[1].replace(",", "")) if found else -1

    page = tab.open()
    expect(page.locator("#window")).to_have_text(re.compile("reads"))
    before = total()
    # Each over a connection of its own, so that both workers get some.
    read(tab.server, 60)
    wait_for(lambda: total() == before + 60, "all reads are counted")


def test_the_slowest_reads_have_their_stages(open_tab: OpenTab, tmp_path: Path) -> None:
    # Of a server of its own, where each first read is among the slowest.
    library = plant(tmp_path / "library", LIBRARY)
    with running(rsgi_command(library), tmp_path / "run") as server:
        read(server, 3)
        _expect_stages(open_tab(server).open())


def _expect_stages(page: Page) -> None:
    missed = page.locator("#slowest li").filter(has_text="miss").first
    expect(missed).to_contain_text("source.read")
    expect(missed).to_contain_text("render")
    assert missed.locator(".track i").count() >= 2


def test_search_finds_and_opens_what_it_found(tab: Tab) -> None:
    page = tab.open()
    page.get_by_role("searchbox").fill("desk library")
    expect(page.locator("#found")).to_have_text("1 found")
    page.locator("#results a").first.click()
    expect(page.locator("#document h3")).to_have_text("Tables")
    expect(page.locator("#document .whole")).to_have_text("Section of Naming things")
    page.get_by_role("searchbox").fill("nothinglikethis")
    expect(page.locator("#found")).to_contain_text("Nothing found")
    page.get_by_role("searchbox").fill("")
    expect(page.locator("#tree")).to_be_visible()


_INDEXED_MS = 90_000
"""Deadline for an index of 80,000 sections, on a machine that traces each line and runs other tests."""


def test_a_search_is_asked_again_until_the_index_is_there(open_tab: OpenTab, tmp_path: Path) -> None:
    # The first search begins the index, and waits for it a second at most: these take it several.
    sections = "".join(f"## Part {number}\n\nAbout lemurs and where they live.\n\n" for number in range(200))
    documents = {f"notes/{number}.md": f"# Note {number}\n\n{sections}" for number in range(400)}
    library = plant(tmp_path / "library", documents)
    with running(rsgi_command(library), tmp_path / "run") as server:
        page = open_tab(server).open()
        page.evaluate(_NOTE_WHAT_IS_TOLD)
        page.get_by_role("searchbox").fill("lemurs")
        expect(page.locator("#found")).to_have_text("More than 20 found", timeout=_INDEXED_MS)
        assert "still being built" in page.evaluate("told[0]")
        expect(page.locator("#results a")).to_have_count(20)


# A text that is there for a moment is not there when Playwright looks.
_NOTE_WHAT_IS_TOLD = """
told = [];
const found = document.getElementById("found");
new MutationObserver(() => told.push(found.textContent)).observe(found, { childList: true });
"""


def test_what_is_sought_on_the_page_is_no_search_of_a_reader(tab: Tab) -> None:
    page = tab.open()
    page.get_by_role("searchbox").fill("soughtbythepage")
    expect(page.locator("#found")).to_contain_text("Nothing found")
    with tab.server.client() as client:
        assert client.get("/mcp/search", params={"q": "soughtbyareader"}).json()["results"] == []
    page.locator("#searches").scroll_into_view_if_needed()
    expect(page.locator("#searches")).to_contain_text("soughtbyareader")
    expect(page.locator("#searches")).not_to_contain_text("soughtbythepage")


def test_a_document_is_shown_with_its_facts_and_preview(tab: Tab) -> None:
    read(tab.server, 3)
    page = tab.open(f"#{CORE}")
    expect(page.locator("#document h3")).to_have_text("Naming things")
    facts = page.locator(".facts")
    for name in ("Size", "Tokens (approx.)", "Version", "Reads", "Last read", "Subscribed", "In memory"):
        expect(facts.locator(f'[data-fact="{name}"] dd')).not_to_be_empty()
    expect(facts.locator('[data-fact="Last read"] dd')).to_contain_text("ago")
    preview = page.frame_locator("iframe")
    expect(preview.locator("h1")).to_have_text("Naming things")
    expect(preview.locator("td").last).to_have_css("text-align", "right")
    expect(preview.locator("main")).to_have_css("max-width", "704px")
    link = preview.get_by_role("link", name="the standard")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    assert preview.get_by_role("link").count() == 1


@pytest.mark.parametrize("uri", HOSTILE)
def test_a_hostile_document_is_shown_harmlessly(tab: Tab, uri: str) -> None:
    page = tab.open(f"#{uri}")
    expect(page.locator("#document iframe")).to_be_visible()
    preview = page.frame_locator("iframe")
    expect(preview.locator("main")).to_contain_text("hacked")
    frame = page.frames[-1]
    inside: dict[str, Any] = frame.evaluate(
        "({hacked: window.hacked ?? null, shown: getComputedStyle(document.body).display,"
        " alien: document.querySelectorAll('script, img, svg, iframe, object, base, style, form').length,"
        " handlers: [...document.querySelectorAll('*')].filter(one => [...one.attributes]"
        "   .some(each => each.name.startsWith('on'))).length,"
        " links: [...document.querySelectorAll('a')].map(one => one.protocol)})"
    )
    assert inside["hacked"] is None
    assert inside["shown"] == "block"
    assert (inside["alien"], inside["handlers"]) == (0, 0)
    assert set(inside["links"]) <= {"http:", "https:", "mailto:"}
    assert page.evaluate("window.hacked ?? null") is None
    assert frame.url.startswith(f"{tab.server.url}/dashboard/preview?")


def test_a_very_long_line_is_cut_off_with_a_note(tab: Tab) -> None:
    page = tab.open("#mcp://resources/files/hostile/line.md")
    preview = page.frame_locator("iframe")
    expect(preview.locator(".note").first).to_contain_text("The first 200,000 of ")
    expect(preview.locator(".note").nth(1)).to_contain_text("Lines are cut off")


def test_the_tree_leads_to_every_document(tab: Tab) -> None:
    page = tab.open()
    tree = page.get_by_role("navigation", name="Documents")
    files = tree.get_by_role("button", name=re.compile("^files"))
    expect(files).to_have_attribute("aria-expanded", "true")
    notes = tree.get_by_role("button", name=re.compile("^notes"))
    notes.click()
    tree.get_by_role("link", name=re.compile(r"never\.txt")).click()
    expect(page.frame_locator("iframe").locator("pre")).to_contain_text("Nobody reads this.")
    page.go_back()
    notes.click()
    expect(tree.get_by_role("link", name=re.compile(r"never\.txt"))).to_be_hidden()


def test_what_was_never_read_is_listed(tab: Tab) -> None:
    read(tab.server, 3)
    page = tab.open()
    page.locator("#never").scroll_into_view_if_needed()
    expect(page.locator("#never")).to_contain_text("files/notes/never.txt")
    expect(page.locator("#most")).to_contain_text("sdlc/core")
    expect(page.locator("#never")).not_to_contain_text("sdlc/core")


def test_a_hostile_client_name_is_text(tab: Tab) -> None:
    request = message("modern", "resources/read", uri=CORE)
    stated = {"name": "<img src=x onerror=alert(1)>" + "x" * 5000, "version": "<script>"}
    request["params"]["_meta"]["io.modelcontextprotocol/clientInfo"] = stated
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "resources/read",
        "mcp-name": CORE,
    }
    with tab.server.client() as client:
        assert "result" in client.post("/mcp", json=request, headers=headers).json()
        client.get("/mcp/search", params={"q": "<q7q8 q9q0=q1q2>"})
    page = tab.open()
    page.locator("#clients").scroll_into_view_if_needed()
    expect(page.locator("#clients summary").filter(has_text="onerror")).to_have_count(1)
    expect(page.locator("#searches")).to_contain_text("<q7q8 q9q0=q1q2>")
    assert page.locator("img, #clients script, #searches script").count() == 0


def test_what_is_in_memory_is_listed(tab: Tab) -> None:
    read(tab.server, 3)
    page = tab.open()
    page.get_by_text("Show documents in memory").click()
    expect(page.locator("#contents tbody")).to_contain_text("sdlc/core")
    expect(page.locator("#budget-documents")).to_have_text(re.compile(r"of 2,000$"))


def test_the_keyboard_leads_everywhere(tab: Tab) -> None:
    page = tab.open()
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#library")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("plainly go")
    expect(page.locator("#found")).to_contain_text("found")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#results a").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#document h3")).to_have_text("Go core")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#tree")).to_be_visible()
    page.keyboard.press("ArrowDown")
    root = page.locator("#tree button").first
    expect(root).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(root).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowRight")
    expect(root).to_have_attribute("aria-expanded", "true")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(tab: Tab, axe: str, scheme: Any) -> None:
    read(tab.server, 3)
    tab.page.emulate_media(color_scheme=scheme)
    page = tab.open(f"#{CORE}")
    expect(page.frame_locator("iframe").locator("h1")).to_be_visible()
    page.get_by_text("Show documents in memory").click()
    page.get_by_role("searchbox").fill("plainly")
    expect(page.locator("#found")).to_contain_text("found")
    page.locator("#never").scroll_into_view_if_needed()
    expect(page.locator("#never li").first).to_be_visible()
    page.evaluate(axe)
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("tags => axe.run(document, {runOnly: tags})", tags)
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []
    assert len(found["passes"]) > 20


@pytest.mark.parametrize("width_px", [320, 390, 768, 1280, 2200])
def test_the_page_does_not_scroll_sideways(tab: Tab, width_px: int) -> None:
    tab.page.set_viewport_size({"width": width_px, "height": 800})
    page = tab.open(f"#{CORE}")
    expect(page.frame_locator("iframe").locator("h1")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_what_is_wrong_is_said_in_words(open_tab: OpenTab, tmp_path: Path) -> None:
    # Nobody listens on port 1.
    command = rsgi_command(write_library(tmp_path / "library"), "--redis", "redis://127.0.0.1:1")
    with running(command, tmp_path / "run") as server:
        page = open_tab(server).open()
        expect(page.locator("#attention")).to_have_text("2 problems found.")
        state = page.locator('[data-state="redis-down"]')
        state.locator("summary").click()
        expect(state).to_contain_text("Reads continue from memory and from the library")
        expect(state).to_contain_text("What to do: Check Redis")
        # It stays open while the page goes on.
        expect(page.locator("#rate")).to_have_text("0")
        expect(state).to_have_attribute("open", "")


def test_the_page_says_when_the_server_is_gone_and_finds_it_again(open_tab: OpenTab, tmp_path: Path) -> None:
    library = write_library(tmp_path / "library")
    with running(rsgi_command(library), tmp_path / "first") as server:
        tab = open_tab(server)
        page = tab.open()
        # A server that is told to stop does not wait for pages.
        assert end(server.process) == 0
        expect(page.locator("#link")).to_have_text("No connection, retrying")
    with running([*rsgi_command(library)[:-1], str(server.port)], tmp_path / "second"):
        expect(page.locator("#link")).to_have_text("Live")
