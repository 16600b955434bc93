"""Both eras for the tests of methods; streams over a catalog for those of streams."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from choirbook.catalog.catalog import Catalog
from choirbook.catalog.rules import default_rules
from choirbook.mcp.open_streams import OpenStreams
from tests.support.mcp import CALLS
from tests.support.shelves import Shelf


@pytest.fixture(params=list(CALLS))
def era(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def shelf() -> Shelf:
    shelf = Shelf(Catalog(default_rules("shelf")))
    shelf.put("a", "b")
    return shelf


@pytest.fixture
async def streams(shelf: Shelf) -> AsyncIterator[OpenStreams]:
    streams = OpenStreams(shelf.catalog, 3, 3600.0, lambda: None)
    yield streams
    streams.close()
