"""One library for the clients, and Choirbook serving it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import Server, rsgi_command, running, write_library

PAGE_SIZE = 3
"""Small, so that a listing has several pages."""

VARIABLES = {"CHOIRBOOK_PAGE_SIZE": str(PAGE_SIZE)}


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_library(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="session")
def server(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(rsgi_command(library), tmp_path_factory.mktemp("run"), VARIABLES) as server:
        yield server
