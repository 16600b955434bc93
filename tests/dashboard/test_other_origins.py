"""Pages of other origins in a real browser: an allowed one, a local one, and a stranger."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.servers import Server, rsgi_command, running, write_library


class Blank(BaseHTTPRequestHandler):
    """An empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>blank</title>")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[int]:
    """The port of a server of blank pages."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Blank) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def server(elsewhere: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("origins")
    library = write_library(directory / "library")
    command = rsgi_command(library, "--allowed-origin", f"http://app.example:{elsewhere}")
    with running(command, directory / "run") as server:
        yield server


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context() as context:
        yield context.new_page()


_USE = """
async (url) => {
  const listing = await fetch(`${url}/mcp/resources`);
  const documents = (await listing.json()).resources;
  const href = url + documents.find((each) => each.mimeType === "text/markdown").href;
  const read = await fetch(href, { headers: { accept: "text/*" } });
  const etag = read.headers.get("etag");
  const text = await read.text();
  const known = { accept: "text/*", "if-none-match": etag };
  const again = await fetch(href, { headers: known, cache: "no-store" });
  const missing = await fetch(`${url}/mcp/resources/nothing`);
  const common = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const post = (message, more = {}) => {
    const body = JSON.stringify({ jsonrpc: "2.0", ...message });
    return fetch(`${url}/mcp/`, { method: "POST", headers: { ...common, ...more }, body });
  };
  const opened = await post({ id: 1, method: "initialize", params: {
    protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "page", version: "1" } } });
  const session = opened.headers.get("mcp-session-id");
  const held = { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" };
  await post({ method: "notifications/initialized" }, held);
  const stream = await fetch(`${url}/mcp`, { headers: { accept: "text/event-stream", ...held } });
  const reader = stream.body.getReader();
  const listed = await (await post({ id: 2, method: "resources/list", params: {} }, held)).json();
  await reader.cancel();
  const ended = await fetch(`${url}/mcp`, { method: "DELETE", headers: held });
  return {
    documents: documents.length, cache: read.headers.get("x-cache"), etag, text, again: again.status,
    missing: missing.status, detail: (await missing.json()).detail, opened: opened.status, session,
    stream: [stream.status, stream.headers.get("content-type")],
    listed: listed.result.resources.length, ended: ended.status,
  };
}
"""


@pytest.mark.parametrize("host", ["app.example", "127.0.0.1"])
def test_an_allowed_page_lists_reads_and_holds_a_session(
    page: Page, server: Server, elsewhere: int, host: str
) -> None:
    page.goto(f"http://{host}:{elsewhere}/")
    found = page.evaluate(_USE, server.url)
    assert found["documents"] == found["listed"] > 0
    assert found["cache"] in {"hit", "miss"}
    assert found["etag"].startswith('"')
    assert found["text"]
    assert (found["again"], found["missing"], found["opened"]) == (304, 404, 200)
    assert "not found" in found["detail"]
    assert found["session"]
    assert found["stream"][0] == 200
    assert found["stream"][1].startswith("text/event-stream")
    assert found["ended"] in {200, 204}


def test_another_page_can_neither_read_nor_write(page: Page, server: Server, elsewhere: int) -> None:
    page.goto(f"http://std.example:{elsewhere}/")
    tried = """async (url) => {
      const outcomes = [];
      const posted = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };
      for (const options of [{}, posted]) {
        for (const path of ["/mcp/resources", "/mcp", "/readyz"]) {
          const asked = fetch(url + path, options);
          outcomes.push(await asked.then((response) => response.status, (error) => error.name));
        }
      }
      return outcomes;
    }"""
    assert page.evaluate(tried, server.url) == ["TypeError"] * 6


def test_a_document_is_no_page_that_runs_or_can_be_framed(page: Page, elsewhere: int, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    script = "<script>document.title = 'ran'</script>"
    (library / "page.html").write_text(f"<!doctype html><title>still</title>{script}")
    (library / "drawing.svg").write_text(
        f"<svg xmlns='http://www.w3.org/2000/svg'><title>s</title>{script}</svg>"
    )
    with running(rsgi_command(library), tmp_path / "run") as server:
        for name in ("page.html", "drawing.svg"):
            page.goto(f"{server.url}/mcp/resources/files/{name}?format=raw")
            assert page.evaluate("document.title") != "ran"
            assert page.evaluate("self.origin") == "null"
        page.goto(f"http://std.example:{elsewhere}/")
        frame = f"{server.url}/mcp/resources/files/page.html?format=raw"
        with page.expect_console_message(lambda message: "frame" in message.text.lower()):
            page.evaluate(_FRAME, frame)


_FRAME = """(url) => {
  const frame = document.createElement("iframe");
  frame.src = url;
  document.body.append(frame);
}"""
