"""Open dashboards without a browser: the requests of a page, and a real browser for comparison.

A page holds the stream of events open, and requests more every five seconds: here the maximum, with a
document shown, the list of cached documents expanded, and the readers in view.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from urllib.parse import urlencode

HOST = "127.0.0.1"
ASK_EVERY_S = 5.0
"""Interval between requests in seconds, as in `src/choirbook/dashboard/static`."""

LIVE_DEADLINE_S = 20.0
_MAX_MESSAGE_BYTES = 4 * 1024 * 1024
_HEAD_END = b"\r\n\r\n"
_EVENT_END = b"\n\n"
_TICK = b'"kind":"tick"'


class Connection:
    """One kept-alive connection.

    Args:
        reader: Data from the server.
        writer: Requests to the server.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    async def ask(self, path: str) -> bytes:
        """Send a GET; return the head of the answer.

        Raises:
            RuntimeError: The answer is not a 200.
        """
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: */*\r\n\r\n".encode())
        head = await self.reader.readuntil(_HEAD_END)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"{path} was answered with {head[:64]!r}")
        return head

    async def get(self, path: str) -> bytes:
        """Send a GET, and return the body, whose length is given."""
        head = (await self.ask(path)).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        return await self.reader.readexactly(length)

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    """Connect to a server of this machine."""
    connection = Connection(*await asyncio.open_connection(HOST, port, limit=_MAX_MESSAGE_BYTES))
    try:
        yield connection
    finally:
        connection.close()


class Page:
    """One open dashboard.

    Args:
        port: Port of the server.
        uri: URI of the document that is shown.
    """

    def __init__(self, port: int, uri: str) -> None:
        self._port = port
        self._asked = ("usage", "cache", f"document?{urlencode({'uri': uri})}")
        self.ticks = 0
        """Number of updates received since it was opened."""
        self.is_live = asyncio.Event()

    async def watch(self) -> None:
        """Stay open, until cancelled."""
        async with connected(self._port) as stream, connected(self._port) as beside:
            await stream.ask("/dashboard/events")
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._ask(beside))
                while True:
                    if _TICK in await stream.reader.readuntil(_EVENT_END):
                        self.ticks += 1
                        self.is_live.set()

    async def _ask(self, connection: Connection) -> None:
        while True:
            for path in self._asked:
                await connection.get(f"/dashboard/{path}")
            await asyncio.sleep(ASK_EVERY_S)


@asynccontextmanager
async def open_pages(port: int, uri: str, count: int) -> AsyncIterator[Sequence[Page]]:
    """Keep pages open, each of which has received an update already.

    Raises:
        TimeoutError: One received no update.
    """
    pages = [Page(port, uri) for _ in range(count)]
    tasks = [asyncio.create_task(page.watch()) for page in pages]
    try:
        async with asyncio.timeout(LIVE_DEADLINE_S):
            for page in pages:
                await page.is_live.wait()
        yield pages
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def open_browser(port: int, uri: str) -> AsyncIterator[None]:
    """Keep the page open in a real Chromium, once it reports that it is live."""
    from playwright.async_api import async_playwright, expect

    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        executable = shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        stack.push_async_callback(browser.close)
        page = await browser.new_page(viewport={"width": 1280, "height": 3000})
        await page.goto(f"http://{HOST}:{port}/dashboard#{uri}")
        await expect(page.locator("#link")).to_have_text("Live", timeout=LIVE_DEADLINE_S * 1000)
        yield
