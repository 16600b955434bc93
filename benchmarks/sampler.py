"""Common measurement: load a server for a while, and divide its CPU time by the requests it answered."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import Request, urlopen

from benchmarks import wrk
from benchmarks.processes import cpu_s, memory_mib
from benchmarks.requests import Case
from choirbook_perf.environment import environment
from choirbook_perf.peers import Sample
from choirbook_perf.results import Environment

SERVER_CORE, LOAD_CORE = 0, 1
SERVED_BY = ("choirbook", "granian", "uvloop", "msgspec")

SETTLE_DEADLINE_S = 10.0
SETTLE_PAUSE_S = 0.1
IDLE_S = 0.015
"""CPU time within a pause that still counts as idle, in seconds: one tick of the kernel's clock."""


class Load(NamedTuple):
    """Parameters of the load."""

    seconds: int
    connections: int
    scratch: Path
    """Directory for the load generator's script."""


def sample(case: Case, url: str, pid: int, load: Load) -> Sample:
    """Run one case against one server that was checked before.

    Raises:
        RuntimeError: Some response was not a 200.
    """
    before_s = cpu_s(pid)
    seen = wrk.shoot(case.shot(url), load.seconds, load.connections, LOAD_CORE, load.scratch)
    spent_s = cpu_s(pid) - before_s
    memory = memory_mib(pid)
    settle(pid)
    return Sample(
        spent_s / seen.requests * 1e6,
        seen.requests / seen.seconds,
        seen.p50_ms,
        seen.p95_ms,
        seen.p99_ms,
        seen.requests,
        seen.cpu_s / seen.requests * 1e6,
        memory,
    )


def settle(pid: int) -> None:
    """Wait until a server is idle: leftover requests must not be processed in another's turn."""
    deadline_s = time.monotonic() + SETTLE_DEADLINE_S
    before_s = -1.0
    while (now_s := cpu_s(pid)) - before_s > IDLE_S and time.monotonic() < deadline_s:
        before_s = now_s
        time.sleep(SETTLE_PAUSE_S)


def check(case: Case, url: str, document: str) -> None:
    """Check that a server answers with the complete document; this also warms its cache.

    Raises:
        RuntimeError: It does not.
    """
    shot = case.shot(url)
    request = Request(shot.url, shot.body.encode() or None, shot.headers, method=shot.method)
    for _ in range(2):
        try:
            with urlopen(request, timeout=10) as response:
                body = response.read()
        except (URLError, OSError) as error:
            raise RuntimeError(f"{case.name} at {shot.url}: {error}") from error
    text = text_of(body)
    if text != document:
        raise RuntimeError(
            f"{case.name} at {shot.url} sent {len(body)} bytes, not the document: {body[:200]!r}"
        )


def text_of(body: bytes) -> str:
    """Return the document's text in a response: raw, in Choirbook's envelope, or in an MCP result."""
    if not body.startswith(b"{"):
        return body.decode("utf-8")
    message = json.loads(body)
    if "content" in message:
        return str(message["content"])
    result = message.get("result", {})
    # In tool results, Choirbook puts a heading before the text and the bare text into the structured
    # content; others have no structured content.
    structured = result.get("structuredContent") or {}
    said = structured.get("text", structured.get("result"))
    contents = result.get("contents") or ([{"text": said}] if said else result.get("content"))
    return str(contents[0].get("text", "")) if contents else ""


def machine() -> Environment:
    """Return the environment of the results, with the packages that Choirbook and its floor run on."""
    return environment(SERVED_BY)


def missing() -> str:
    """Return what this machine lacks for measuring, "" if nothing."""
    if not wrk.is_installed():
        return "wrk is not installed. Install it with: apt-get install wrk"
    if (os.cpu_count() or 1) <= max(SERVER_CORE, LOAD_CORE):
        return "two cores are needed: one for the server, one for the load."
    return ""
