"""Fixtures of the fault tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.faults.documents import plant_documents
from tests.faults.figures import Figures
from tests.support.servers import Server, rsgi_command, running, wait_for

NAMES = ["ash", "birch", "cedar", "elm"]
"""Documents of the library that fault tests serve."""

Serve = Callable[..., AbstractContextManager[Server]]
"""Serves `root`: `serve(workers=2, CACHE_TTL="1")`."""


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Where a test tells what it saw."""
    return Figures(request.node.nodeid)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return plant_documents(tmp_path / "library", NAMES)


@pytest.fixture
def serve(root: Path, tmp_path: Path) -> Serve:
    @contextmanager
    def serve(
        workers: int = 1,
        wrapper: tuple[str, ...] = (),
        options: tuple[str, ...] = (),
        directory: Path = tmp_path / "run",
        **variables: str,
    ) -> Iterator[Server]:
        command = [*wrapper, *rsgi_command(root, "--workers", str(workers), *options)]
        with running(command, directory, variables) as server:
            wait_for(lambda: len(server.workers()) == workers, "all workers run")
            yield server

    return serve
