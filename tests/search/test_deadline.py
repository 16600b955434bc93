"""The deadline of one search, which is over when the search is."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import pytest

from choirbook.model import ResourceInfo, Version
from choirbook.search.index import DEADLINE_S, Index
from choirbook.search.passages import SearchPart
from choirbook.search.query import parse_query
from tests.support.waiting import eventually_sync

MANY = 4_000
"""Parts of a document: to remove them takes the engine long enough to look at the clock."""


@pytest.fixture
def index() -> Iterator[Index]:
    made = Index()
    yield made
    made.close()


def info(uri: str) -> ResourceInfo:
    return ResourceInfo(uri, uri, uri, uri, "Title", "", "file", "text/markdown", 1, 0, Version("v"))


def test_a_search_whose_time_is_over_does_not_interrupt_the_next_removal(index: Index) -> None:
    index.put(info("mcp://resources/large"), [SearchPart(None, (), "zebra", 5)] * MANY)
    assert index.find(parse_query("zebra"), None, 1)
    over_s = monotonic() + DEADLINE_S
    eventually_sync(lambda: monotonic() > over_s)
    index.remove("mcp://resources/large")
    assert len(index) == 0
    assert index.find(parse_query("zebra"), None, 1) == []
