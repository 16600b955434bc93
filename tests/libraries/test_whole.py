"""Real libraries, served whole: every file comes out as it went in, over every surface.

See `tests.support.libraries` for which there are.
"""

from __future__ import annotations

import json
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.libraries import libraries
from tests.support.servers import (
    DEADLINE_S,
    ERAS,
    choirbook,
    environment,
    post,
    rsgi_command,
    running,
)


class Served(NamedTuple):
    """A library, what Choirbook's command line says of it, and a client of a Choirbook that serves it."""

    root: Path
    documents: list[dict[str, Any]]
    client: httpx.Client


@pytest.fixture(scope="module", params=libraries())
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = libraries()[request.param]
    done = subprocess.run(
        choirbook("list", root, "--json"),
        env=environment(),
        capture_output=True,
        timeout=DEADLINE_S,
        check=True,
    )
    with (
        running(rsgi_command(root), tmp_path_factory.mktemp(request.param)) as server,
        server.client() as client,
    ):
        yield Served(root, json.loads(done.stdout), client)


def test_every_file_that_is_not_hidden_is_listed(served: Served) -> None:
    paths = (file.relative_to(served.root) for file in served.root.rglob("*") if file.is_file())
    visible = [str(path) for path in paths if not any(part.startswith(".") for part in path.parts)]

    assert sorted(document["path"] for document in served.documents) == sorted(visible)
    assert len({document["uri"] for document in served.documents}) == len(visible) > 0


def test_every_document_is_named_for_people(served: Served) -> None:
    assert [document["uri"] for document in served.documents if not document["title"].strip()] == []


@pytest.mark.parametrize("era", ERAS)
def test_listing_over_mcp_is_that_of_the_command_line(served: Served, era: str) -> None:
    listed = post(served.client, era, "resources/list").json()["result"]["resources"]

    seen = [(item["uri"], item["title"], item["mimeType"], item["size"]) for item in listed]
    assert seen == [(item["uri"], item["title"], item["mimeType"], item["size"]) for item in served.documents]


def test_every_document_is_read_byte_by_byte_over_http(served: Served) -> None:
    for item in served.client.get("/mcp/resources", params={"limit": 1000}).json()["resources"]:
        response = served.client.get(item["href"], params={"format": "raw"})
        path = next(document["path"] for document in served.documents if document["uri"] == item["uri"])
        assert response.content == (served.root / path).read_bytes(), path


@pytest.mark.parametrize("era", ERAS)
def test_every_document_is_read_byte_by_byte_over_mcp(served: Served, era: str) -> None:
    for document in served.documents:
        answer = post(served.client, era, "resources/read", uri=document["uri"]).json()
        (item,) = answer["result"]["contents"]
        data = item["text"].encode() if "text" in item else b64decode(item["blob"])
        assert data == (served.root / document["path"]).read_bytes(), document["path"]


def test_both_eras_give_the_same_contents(served: Served) -> None:
    for document in served.documents:
        one, other = (post(served.client, era, "resources/read", uri=document["uri"]).json() for era in ERAS)
        assert one["result"]["contents"] == other["result"]["contents"]


def test_every_section_is_read_as_the_part_of_its_document_that_the_outline_says(served: Served) -> None:
    read = 0
    for item in served.client.get("/mcp/resources", params={"limit": 1000}).json()["resources"]:
        outline = served.client.get(item["href"], params={"format": "outline"}).json()
        document = served.client.get(item["href"], params={"format": "raw"}).content
        for section in outline["sections"]:
            part = served.client.get(section["href"], headers={"accept": "text/*"})
            assert (part.status_code, len(part.content)) == (200, section["size"]), section["href"]
            assert part.content in document
            read += 1
    assert read > 0


def test_every_document_is_found_by_its_title(served: Served) -> None:
    for document in served.documents:
        if not any(character.isalnum() for character in document["title"]):
            continue
        found = served.client.get("/mcp/search", params={"q": document["title"], "limit": 50}).json()
        assert found["complete"]
        assert document["uri"] in {hit["document"] for hit in found["results"]} or found["more"], document
