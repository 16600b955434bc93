"""A Choirbook that serves what the official conformance suite reads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import Server, running

HERE = Path(__file__).parent
COMMAND = [sys.executable, "-m", "tests.conformance.server"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(COMMAND, tmp_path_factory.mktemp("conformance")) as server:
        yield server
