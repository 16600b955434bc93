"""A Carrel that serves what the official conformance suite reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import Server, rsgi_command, running

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(rsgi_command(HERE / "library"), tmp_path_factory.mktemp("conformance")) as server:
        yield server
