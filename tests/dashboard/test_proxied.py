"""The page behind a proxy that ends TLS, and below a path, in a real browser."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.dashboard.documents import LIBRARY
from tests.support.fronting import fronted
from tests.support.servers import DEADLINE_S, rsgi_command, running
from tests.support.trees import plant

NAME = "std.example"


TRUST = ("--trusted-proxy", "127.0.0.1")


@pytest.mark.parametrize(
    ("path", "trust", "host"),
    [
        ("", (), "$host"),
        ("", (), "$http_host"),
        ("", (), "$proxy_host"),
        ("", TRUST, "$host"),
        ("/standards", TRUST, "$host"),
    ],
)
def test_the_page_lives_behind_tls(
    chromium: Browser, tmp_path: Path, path: str, trust: tuple[str, ...], host: str
) -> None:
    """With `--allowed-host` alone at the root; below a path the proxy has to be trusted as well."""
    library = plant(tmp_path / "library", LIBRARY)
    command = rsgi_command(library, "--allowed-host", NAME, *trust)
    with (
        running(command, tmp_path / "run") as server,
        fronted(server.port, tmp_path / "nginx", path=path, name=NAME, host=host) as port,
        chromium.new_context(ignore_https_errors=True) as context,
    ):
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(f"https://{NAME}:{port}{path}/")
        page.get_by_role("link", name="/dashboard").click()
        expect(page.locator("#link")).to_have_text("Live", timeout=DEADLINE_S * 1000)
        page.get_by_role("searchbox").fill("desk library")
        page.locator("#results a").first.click()
        expect(page.locator("#document h3")).to_be_visible()
        link = page.get_by_role("link", name="Open as served").get_attribute("href") or ""
        assert link.startswith(f"https://{NAME}:{port}{path}/mcp/resources/")
        assert complaints == []
        assert page.evaluate("(link) => fetch(link).then((response) => response.status)", link) == 200


def test_links_work_below_the_path_of_a_proxy(tmp_path: Path) -> None:
    library = plant(tmp_path / "library", LIBRARY)
    with (
        running(rsgi_command(library, "--trusted-proxy", "127.0.0.1"), tmp_path / "run") as server,
        fronted(server.port, tmp_path / "nginx", path="/standards") as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=DEADLINE_S) as client,
    ):
        listing = client.get("/standards/mcp/resources").json()["resources"]
        assert listing
        for each in listing:
            assert re.match(r"/standards/mcp/resources/.", each["href"])
            assert client.get(each["href"]).status_code == 200
        for hit in client.get("/standards/mcp/search?q=desk").json()["results"]:
            assert client.get(hit["href"]).status_code == 200
        outline = client.get("/standards/mcp/resources/sdlc/core?format=outline").json()
        for part in (outline, *outline["sections"]):
            assert client.get(part["href"]).status_code == 200
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        assert client.post("/standards/mcp/", json=ping).status_code == 200
