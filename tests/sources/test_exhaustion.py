"""A source whose process has no descriptor left says so, and loses nothing."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from choirbook.model import SourceError, SourceExhausted
from choirbook.sources.filesystem import FilesystemSource
from tests.support.trees import plant


@pytest.fixture
def root(tmp_path: Path) -> Path:
    plant(tmp_path, {"a.md": "# A", "wood/oak.md": "# Oak", "wood/deep/elm.md": "# Elm"})
    (tmp_path / "wood" / "link.md").symlink_to("oak.md")
    return tmp_path


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """Leave this process so many descriptors."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(count + 1)]
    # No number below the last one is free; nothing but what was held can be had.
    limit = max(held)
    for each in held:
        os.close(each)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("left", range(6))
def test_a_listing_is_whole_or_fails(root: Path, left: int) -> None:
    source = FilesystemSource(root, max_document_bytes=1000, follow_links=True)
    try:
        with descriptors_left(left):
            entries, problems = source.list()
    except SourceError as error:
        assert isinstance(error, SourceExhausted)  # noqa: PT017 - it may fail or not, never anything else
        assert left < 4
        return
    finally:
        source.close()
    assert problems == []
    assert {each.path for each in entries} == {"a.md", "wood/oak.md", "wood/link.md", "wood/deep/elm.md"}


def test_a_read_says_that_there_was_no_descriptor(root: Path) -> None:
    source = FilesystemSource(root, max_document_bytes=1000)
    try:
        version = source.stat("a.md").version
        with descriptors_left(0), pytest.raises(SourceExhausted):
            source.read("a.md", version)
        with descriptors_left(0), pytest.raises(SourceExhausted):
            source.stat("a.md")
        assert source.read("a.md", version).data == b"# A"
    finally:
        source.close()
