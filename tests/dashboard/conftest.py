"""A real browser before a real server: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from tests.dashboard.documents import LIBRARY
from tests.support.servers import DEADLINE_S, Server, rsgi_command, running
from tests.support.trees import plant

CHROMIUM = shutil.which("chromium")

expect.set_options(timeout=DEADLINE_S * 1000)


@dataclass
class Tab:
    """A page, and all that it asked for and complained of."""

    page: Page
    server: Server
    requested: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        def note(request: Request) -> None:
            self.requested.append(request.url)

        self.page.on("request", note)
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))

    def open(self, fragment: str = "") -> Page:
        """Open the dashboard, and wait until it lives."""
        self.page.goto(f"{self.server.url}/dashboard{fragment}")
        expect(self.page.locator("#link")).to_have_text("Live")
        return self.page

    def strangers(self) -> list[str]:
        """Return what was asked of others than the server."""
        return [url for url in self.requested if not url.startswith(f"{self.server.url}/")]


OpenTab = Callable[..., Tab]


# While Playwright is there, its event loop counts as running, and no other can: it goes with the module.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium: scripts/install")
    with sync_playwright() as playwright:
        # Nothing but loopback has a name or an address; two names are for it.
        names = "MAP std.example 127.0.0.1, MAP app.example 127.0.0.1"
        rules = f"--host-resolver-rules={names}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", rules])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two workers that many tests share."""
    library = plant(tmp_path_factory.mktemp("shown") / "library", LIBRARY)
    command = rsgi_command(library, "--workers", "2", "--usage-clients", "on")
    with running(command, tmp_path_factory.mktemp("shown") / "run") as server:
        yield server


@pytest.fixture
def tab(chromium: Browser, shown: Server) -> Iterator[Tab]:
    """A tab on `shown`; nothing was asked of others, and nothing complained of, when the test is over."""
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        tab = Tab(context.new_page(), shown)
        tab.listen()
        yield tab
        tab.page.close()
    assert tab.strangers() == []
    assert tab.complaints == []


@pytest.fixture
def open_tab(chromium: Browser) -> Iterator[OpenTab]:
    """Open tabs on servers of the test's own; nobody looks at what they complain of."""
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:

        def open_(server: Server) -> Tab:
            tab = Tab(context.new_page(), server)
            tab.listen()
            return tab

        yield open_


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which scripts/node-tools brings."""
    from tests.support.node import node_tools

    source: Path = node_tools() / "node_modules" / "axe-core" / "axe.min.js"
    assert source.exists(), "axe-core is not installed; run scripts/node-tools"
    return source.read_text("utf-8")
