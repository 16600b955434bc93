"""Two servers over one library: Choirbook, and a small one made with the official SDK."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.support.servers import rsgi_command, running, write_library

FILES = "mcp://resources/files"
TABLE = (
    # URI, name, title, description, media type, path
    (f"{FILES}/images/logo.png", "files/images/logo.png", "", "", "image/png", "images/logo.png"),
    (f"{FILES}/notes/na%C3%AFve.txt", "files/notes/naïve.txt", "", "", "text/plain", "notes/naïve.txt"),
    (f"{FILES}/notes/read%20me.txt", "files/notes/read me.txt", "", "", "text/plain", "notes/read me.txt"),
    (f"{FILES}/notes/scratch.txt", "files/notes/scratch.txt", "", "", "text/plain", "notes/scratch.txt"),
    ("mcp://resources/patterns/go/core", "patterns/go/core", "Go core", "How we write Go: naïve is fine.",
     "text/markdown", "go/patterns-core.md"),
    ("mcp://resources/patterns/python/core", "patterns/python/core", "Python core", "How we write Python.",
     "text/markdown", "python/patterns-core.md"),
    ("mcp://resources/sdlc/core", "sdlc/core", "How we work", "From an idea to a release.",
     "text/markdown", "sdlc-core.md"),
    ("mcp://resources/templates/prd-template", "templates/prd-template", "PRD", "Why",
     "application/xml", "templates/prd-template.xml"),
)  # fmt: skip
"""Resources of the library of `write_library`, by the SDLC layout; an empty title is the name."""


class Pair(NamedTuple):
    """Clients of the two servers."""

    choirbook: httpx.Client
    sdk: httpx.Client


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    base = tmp_path_factory.mktemp("differential")
    library = write_library(base / "library")
    table = base / "table.json"
    table.write_text(json.dumps([_row(library, *row) for row in TABLE]), "utf-8")
    sdk_command = [sys.executable, "-m", "tests.support.sdk_server", str(library), str(table)]
    with (
        running(rsgi_command(library), base / "choirbook") as choirbook,
        running(sdk_command, base / "sdk") as sdk,
        choirbook.client() as choirbook_client,
        sdk.client() as sdk_client,
    ):
        yield Pair(choirbook_client, sdk_client)


def _row(
    library: Path, uri: str, name: str, title: str, description: str, media_type: str, path: str
) -> dict[str, str | int]:
    status = (library / path).stat()
    modified = datetime.fromtimestamp(int(status.st_mtime), UTC)
    return {
        "uri": uri,
        "name": name,
        "title": title or name,
        "description": description,
        "mimeType": media_type,
        "size": status.st_size,
        "lastModified": modified.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "path": path,
    }
