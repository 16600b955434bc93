"""Number of suggestions for a name that does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from choirbook.errors import ResourceNotFound
from tests.support.apps import serving
from tests.support.trees import plant


async def test_three_names_at_most_are_suggested(tmp_path: Path) -> None:
    files = {f"handbook-{letter}.md": "# Handbook\n" for letter in "abcdefgh"}
    async with serving(plant(tmp_path, files)) as served:
        assert len(served.library.catalog.nearest("mcp://resources/files/handbook-x.md")) == 3
        with pytest.raises(ResourceNotFound) as caught:
            served.library.find("mcp://resources/files/handbook-x.md")
    assert caught.value.data is not None
    assert len(caught.value.data["nearest"]) == 3
