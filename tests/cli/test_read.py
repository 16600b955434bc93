import asyncio
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from choirbook.cli.inspect import read_resource
from choirbook.errors import RequestError
from choirbook.settings import Settings
from choirbook.uri import path_of
from tests.support.apps import Served
from tests.support.cli import choirbook
from tests.support.trees import CORE, PIXEL, PYTHON_CORE


@pytest.mark.parametrize(
    ("uri", "content"),
    [
        ("mcp://resources/sdlc/core", CORE),
        ("MCP://resources/%73dlc/core", CORE),
        ("mcp://resources/patterns/core", PYTHON_CORE),
    ],
)
def test_the_bytes_of_a_resource_are_written(library: Path, uri: str, content: str) -> None:
    found = choirbook("read", uri, library)
    assert (found.returncode, found.stdout, found.stderr) == (0, content, "")


def test_a_picture_is_written_as_it_is(library: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "choirbook",
        "read",
        "mcp://resources/files/images/pixel.png",
        str(library),
    ]
    assert subprocess.run(command, capture_output=True, check=True, timeout=60).stdout == PIXEL


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("mcp://resources/sdlc/cor", "Did you mean mcp://resources/sdlc/core?"),
        ("mcp://resources/../etc/passwd", "'..'"),
        ("sdlc/core", "no scheme"),
        ("", "no scheme"),
    ],
)
def test_what_is_not_there_ends_with_a_line_on_stderr(library: Path, uri: str, message: str) -> None:
    found = choirbook("read", uri, library)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("choirbook: ")
    assert message in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_a_uri_that_is_not_utf_8_is_refused(library: Path) -> None:
    found = choirbook("read", os.fsdecode(b"mcp://resources/\xff"), library)
    assert found.returncode == 1
    assert "Traceback" not in found.stderr


RAW = "text/*, image/*, application/*;q=0"

QUERIES = [
    "?section={slug}",
    "?section={title}",
    "?section={slug}&format=raw",
    "?section=none&section={slug}",
    "?section=none",
    "?section=",
    "?section=%FF",
    "?section=%E2%80%AE",
    "?",
    "?format=raw",
    "?other=1",
    "?language=go",
    "?language=go&section=none",
    "?language=..%2F..%2Fetc",
    "?" + "&".join(f"f{number}=1" for number in range(20)),
]
"""Queries that may follow a document's URI."""


async def test_a_query_means_what_it_means_over_http(
    library: Path, served: Served, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    async def read(uri: str) -> bytes | str:
        try:
            await asyncio.to_thread(read_resource, Settings(root=library), uri)
        except RequestError as error:
            return error.message.removesuffix(" Run 'choirbook list' to see all resources.")
        return capsysbinary.readouterr().out

    compared = {True: 0, False: 0}
    for info in served.library.catalog.page(None, 100).infos:
        sections = (await served.library.outline(info)).sections
        for section in sections or (None,):
            words = {} if section is None else {"slug": section.slug, "title": quote(section.title)}
            for query in QUERIES if words else [each for each in QUERIES if "{" not in each]:
                asked = query.format(**words)
                response = await served.get(
                    path_of(info.uri) + asked, accept="text/*, image/*, application/*;q=0"
                )
                is_good = response.status_code == 200
                wanted = response.content if is_good else response.json()["detail"]
                assert await read(info.uri + asked) == wanted, (info.uri, asked)
                compared[is_good] += 1
    assert min(compared.values()) > 20


def test_another_form_than_the_documents_own_bytes_is_refused(library: Path) -> None:
    found = choirbook("read", "mcp://resources/sdlc/core?format=outline", library)
    assert (found.returncode, found.stdout) == (1, "")
    assert "raw bytes" in found.stderr
