"""Promise 19: a document made to cost much costs its length, and no reader of others notices."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import httpx

from tests.faults.conftest import Serve
from tests.faults.figures import Figures
from tests.support.servers import wait_for

KIB = 1024

HOSTILE = {
    "heading.md": "# a" + "\t " * (2 * KIB),
    "underline.md": "a\n" + "-" * (100 * KIB) + "x\n",
    "brackets.md": "a\n\n" + "[" * (2 * KIB),
    "nested.md": "---\na: " + "[" * (4 * KIB - 20) + "\n---\n# A\n",
    "defaults.xml": "<!DOCTYPE r [<!ATTLIST a "
    + "".join(f"a{n} CDATA 'x' " for n in range(4 * KIB))
    + ">]><r>"
    + "<a/>" * (20 * KIB)
    + "</r>",
    "templates/attribute-template.xml": "<t><variable " + "a" * (100 * KIB) + "></variable>{{b}}</t>",
}
"""Each took seconds to minutes of a worker, for kilobytes."""


def plant(root: Path) -> None:
    for name, text in HOSTILE.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def uris(client: httpx.Client) -> set[str]:
    return {item["uri"] for item in client.get("/mcp/resources?limit=100").json()["resources"]}


def slowest_s(client: httpx.Client, path: str, until: threading.Event) -> float:
    """Read again and again, and return how long the slowest read took."""
    slowest = 0.0
    while not until.is_set():
        begun_s = time.monotonic()
        assert client.get(path).status_code == 200
        slowest = max(slowest, time.monotonic() - begun_s)
    return slowest


def ask_everything(client: httpx.Client, paths: list[str]) -> float:
    """Ask for what takes parsing of each document, and return how long the slowest took."""
    slowest = 0.0
    prompts = {"jsonrpc": "2.0", "id": 1, "method": "prompts/list", "params": {}}
    for path in paths:
        begun_s = time.monotonic()
        assert client.get(f"{path}?format=outline").status_code == 200
        slowest = max(slowest, time.monotonic() - begun_s)
    begun_s = time.monotonic()
    assert client.post("/mcp", json=prompts).status_code == 200
    assert client.get("/mcp/search?q=hostile").status_code == 200
    return max(slowest, time.monotonic() - begun_s)


def test_hostile_documents_cost_their_length(serve: Serve, root: Path, figures: Figures) -> None:
    with serve() as server, server.client() as client, server.client() as other:
        known = uris(client)
        path = "/mcp/resources" + next(iter(sorted(known))).removeprefix("mcp://resources")
        ended = threading.Event()
        seen: list[float] = []
        reader = threading.Thread(target=lambda: seen.append(slowest_s(other, path, ended)))
        reader.start()
        try:
            begun_s = time.monotonic()
            plant(root)
            wait_for(lambda: len(uris(client)) == len(known) + len(HOSTILE), "all are listed", 30)
            listed_s = time.monotonic() - begun_s
            added = sorted(uris(client) - known)
            parsed_s = ask_everything(
                client, ["/mcp/resources" + uri.removeprefix("mcp://resources") for uri in added]
            )
        finally:
            ended.set()
            reader.join()
    fault = "documents made to cost much"
    figures.hold(19, fault, "until all are listed", listed_s, "s", at_most=5)
    figures.hold(19, fault, "slowest outline, listing of prompts or search", parsed_s, "s", at_most=2)
    figures.hold(19, fault, "slowest read of another document meanwhile", max(seen), "s", at_most=1)
