"""A change to a file shows within a second, over every way to read, under both servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers.conftest import Start
from tests.support.servers import post, wait_for, write_library

PROMISED_S = 1.0

NAMES = ["raw", "json", "handshake", "modern", "tag"]
"""Each test has a document of its own."""

Read = Callable[[], str | None]


@pytest.fixture(scope="module")
def root(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_library(tmp_path_factory.mktemp("edited"))
    for name in NAMES:
        (root / f"{name}.txt").write_text("To be edited.\n")
    return root


@pytest.fixture(scope="module")
def client(start: Start, root: Path) -> Iterator[httpx.Client]:
    with start(root) as server, server.client() as client:
        yield client


def reader(client: httpx.Client, name: str) -> Read:
    """Return what reads the document of a name in the way that it names; None where there is none."""

    def over_http() -> str | None:
        response = client.get(f"/mcp/resources/files/{name}.txt", params={"format": name})
        if response.status_code != 200:
            return None
        return response.text if name == "raw" else str(response.json()["content"])

    def over_mcp() -> str | None:
        answer = post(client, name, "resources/read", uri=f"mcp://resources/files/{name}.txt").json()
        return str(answer["result"]["contents"][0]["text"]) if "result" in answer else None

    return over_http if name in {"raw", "json"} else over_mcp


@pytest.mark.parametrize("name", ["raw", "json", "handshake", "modern"])
def test_change_shows_within_a_second(client: httpx.Client, root: Path, name: str) -> None:
    read, file = reader(client, name), root / f"{name}.txt"
    assert read() == "To be edited.\n"

    file.write_text("Edited in place.\n")
    wait_for(lambda: read() == "Edited in place.\n", "the edit shows", PROMISED_S)

    replacement = root / f".{name}"
    replacement.write_text("Replaced.\n")
    replacement.replace(file)
    wait_for(lambda: read() == "Replaced.\n", "the replacement shows", PROMISED_S)

    file.unlink()
    wait_for(lambda: read() is None, "the deletion shows", PROMISED_S)

    file.write_text("Back again.\n")
    wait_for(lambda: read() == "Back again.\n", "the new file shows", PROMISED_S)


def test_new_document_is_listed_within_a_second(client: httpx.Client, root: Path) -> None:
    def uris() -> list[str]:
        return [
            item["uri"] for item in post(client, "modern", "resources/list").json()["result"]["resources"]
        ]

    assert "mcp://resources/patterns/rust/core" not in uris()
    (root / "rust").mkdir()
    (root / "rust" / "patterns-core.md").write_text("# Rust core\n")
    wait_for(lambda: "mcp://resources/patterns/rust/core" in uris(), "the new document is listed", PROMISED_S)


def test_entity_tag_changes_with_the_document(client: httpx.Client, root: Path) -> None:
    path = "/mcp/resources/files/tag.txt"
    headers = {"if-none-match": client.get(path).headers["etag"]}
    assert client.get(path, headers=headers).status_code == 304

    (root / "tag.txt").write_text("Edited.\n")
    wait_for(lambda: client.get(path, headers=headers).status_code == 200, "the edit shows", PROMISED_S)
