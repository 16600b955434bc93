"""A headless Chromium, driven over a pipe by its own protocol: no port, no network, no library."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

DEADLINE_S = 60.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)


def is_installed() -> bool:
    return shutil.which("chromium") is not None


class Page:
    """A tab, and all events that it told of."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to_browser = to_browser
        self._from_browser = from_browser
        self._unread = b""
        self._last_id = 0
        self._session = ""
        self.events: list[dict[str, Any]] = []

    def attach(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, /, **params: Any) -> Any:
        """Call a method of the protocol and return its result."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to_browser, json.dumps(message).encode() + b"\0")
        deadline_s = time.monotonic() + DEADLINE_S
        while True:
            answer = self._next(deadline_s)
            if answer.get("id") == self._last_id:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def open(self, url: str, *, width_px: int = 1200, scheme: str = "light") -> None:
        """Load a page and wait until it is whole."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width_px,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.events.clear()
        self.call("Page.navigate", url=url)
        deadline_s = time.monotonic() + DEADLINE_S
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next(deadline_s))

    def value(self, expression: str) -> Any:
        """Evaluate JavaScript in the page; the page's own policy does not bind the debugger."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def requested(self) -> list[str]:
        """Return the addresses that the page asked for."""
        sent = [event for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def complaints(self) -> list[str]:
        """Return what the browser logged about the page, such as breaches of its policy."""
        logged = [event for event in self.events if event.get("method") == "Log.entryAdded"]
        return [event["params"]["entry"]["text"] for event in logged]

    def screenshot(self, path: Path) -> None:
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _next(self, deadline_s: float) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._from_browser], [], [], max(0.0, deadline_s - time.monotonic()))
            assert ready, f"Chromium did not answer within {DEADLINE_S:g} s"
            data = os.read(self._from_browser, 1 << 20)
            assert data, "Chromium ended"
            self._unread += data
        message, _, self._unread = self._unread.partition(b"\0")
        decoded: dict[str, Any] = json.loads(message)
        return decoded


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Run a Chromium with a fresh profile.

    Args:
        profile: A directory of its own.
    """
    command_read, command_write = os.pipe()
    answer_read, answer_write = os.pipe()
    # Chromium reads from descriptor 3 and writes to 4; a shell puts them there, whatever their numbers here.
    plumbing = f'exec "$@" 3<&{command_read} 4>&{answer_write}'
    with (profile.parent / f"{profile.name}.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", plumbing, "chromium", "chromium", *FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(command_read, answer_write),
            stdout=log,
            stderr=log,
        )
    os.close(command_read)
    os.close(answer_write)
    try:
        page = Page(command_write, answer_read)
        page.attach()
        yield page
    finally:
        with suppress(OSError):
            os.write(command_write, b'{"id":0,"method":"Browser.close"}\0')
        _end(process)
        os.close(command_write)
        os.close(answer_read)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
