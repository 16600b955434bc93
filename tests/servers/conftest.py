"""The two servers that Choirbook runs under: Granian, as `choirbook serve` starts it, and Uvicorn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from tests.support.servers import Server, asgi_command, rsgi_command, running, write_library

Start = Callable[..., AbstractContextManager[Server]]
"""Starts a server: `start(library, **variables)`."""

KINDS = {"rsgi": rsgi_command, "asgi": asgi_command}


@pytest.fixture(scope="session", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def start(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Start:
    def start(library: Path, **variables: str) -> AbstractContextManager[Server]:
        return running(KINDS[kind](library), tmp_path_factory.mktemp(kind), variables)

    return start


@pytest.fixture(scope="session")
def library(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_library(tmp_path_factory.mktemp("library"))
    (root / ".git").mkdir()
    for hidden in (".secret", ".git/config"):
        (root / hidden).write_text("not for clients")
    return root


@pytest.fixture(scope="session")
def server(start: Start, library: Path) -> Iterator[Server]:
    """A server that many tests share: they leave it as they found it."""
    with start(library) as server:
        yield server


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A library of one test's own, which it may edit."""
    return write_library(tmp_path / "library")


@pytest.fixture
def cold(start: Start, root: Path) -> Iterator[Server]:
    """A server that nobody has read from yet."""
    with start(root) as server:
        yield server
