"""Make the screenshots of docs/dashboard.md: `task docs:screenshots`.

A server with the starter library is read for two minutes by agents, now more, now less: plots have a shape.
"""

from __future__ import annotations

import math
import random
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, expect, sync_playwright

from choirbook.settings import STARTER_LIBRARY
from tests.support.servers import REPOSITORY, Server, rsgi_command, running

PICTURES = REPOSITORY / "docs" / "dashboard"
LOAD_S = 118.0
AGENTS = ("claude-code/2.4.1", "cursor/1.9.3", "house-agent/0.7.2", "reviewer/1.0.0")
IN_VAIN = ("kubernetes ingress", "graphql federation", "cobol")
DOCUMENT = "mcp://resources/patterns/python/errors"


def main() -> None:
    """Make all pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    command = rsgi_command(STARTER_LIBRARY, "--workers", "2", "--usage-clients", "on")
    with TemporaryDirectory() as scratch, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        with running(command, Path(scratch) / "run", {"CACHE_TTL": "20"}) as server:
            _picture_well(chromium, server)
        broken = rsgi_command(STARTER_LIBRARY, "--redis", "redis://127.0.0.1:1")
        with running(broken, Path(scratch) / "broken") as server:
            _picture_attention(chromium, server)
        chromium.close()


def _chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        sys.exit("The pictures need Chromium: scripts/install")
    return found


def _picture_well(chromium: Browser, server: Server) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 860})
    page.goto(f"{server.url}/dashboard")
    with _read_by_agents(server):
        # The page has to see what is drawn.
        page.wait_for_timeout(LOAD_S * 1000)
        _take(page, "light")
        page.emulate_media(color_scheme="dark")
        _take(page, "dark")
        page.evaluate(f"location.hash = '#{DOCUMENT}'")
        expect(page.frame_locator("iframe").locator("h1")).to_be_visible()
        page.get_by_role("searchbox").fill("error handling")
        expect(page.locator("#results a").first).to_be_visible()
        page.emulate_media(color_scheme="light")
        page.locator("#library").screenshot(path=PICTURES / "library.png")
        page.locator("#readers-title").scroll_into_view_if_needed()
        expect(page.locator("#clients li").first).to_be_visible()
        page.locator("#readers").screenshot(path=PICTURES / "readers.png")
        page.evaluate("location.hash = ''; scrollTo(0, 0)")
        page.set_viewport_size({"width": 390, "height": 844})
        _take(page, "phone")
    page.close()


def _picture_attention(chromium: Browser, server: Server) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 860})
    page.goto(f"{server.url}/dashboard")
    page.locator('[data-state="redis-down"] summary').click()
    page.locator(".attention").screenshot(path=PICTURES / "attention.png")
    page.close()


def _take(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    expect(page.locator("#link")).to_have_text("Live")
    page.wait_for_timeout(300)
    page.screenshot(path=PICTURES / f"{name}.png")


@contextmanager
def _read_by_agents(server: Server) -> Iterator[None]:
    ending = threading.Event()
    agents = [threading.Thread(target=_read, args=(server, name, ending)) for name in AGENTS]
    for agent in agents:
        agent.start()
    try:
        yield
    finally:
        ending.set()
        for agent in agents:
            agent.join()


def _read(server: Server, name: str, ending: threading.Event) -> None:
    choice = random.Random(name)  # noqa: S311 - a shape for a picture
    start_s = time.monotonic()
    phase = choice.random() * math.tau
    with server.client() as client:
        client.headers["user-agent"] = name
        listed = client.get("/mcp/resources", params={"limit": 1000}).json()["resources"]
        # Some documents nobody reads.
        paths = [each["href"] for each in listed if choice.random() < 0.6]
        client.get("/mcp/search", params={"q": choice.choice(IN_VAIN)})
        while not ending.is_set():
            wave = 1.2 + math.sin(phase + (time.monotonic() - start_s) / 14)
            client.get(paths[int(len(paths) * choice.random() ** 2)])
            ending.wait(0.006 * (0.4 + wave) * (0.5 + choice.random()))


if __name__ == "__main__":
    main()
