from pathlib import Path

import pytest

from choirbook.usage.pending import PendingUsage
from choirbook.usage.records import ResourceUsage
from choirbook.usage.reports import open_to_read
from choirbook.usage.schema import NotAUsageFile
from choirbook.usage.store import UsageStore

A = "mcp://resources/a"


def noted(at_s: float) -> PendingUsage:
    pending = PendingUsage()
    pending.note(A, 1, at_s, None)
    return pending


def test_a_file_can_be_read_while_a_server_writes_to_it(path: Path) -> None:
    store = UsageStore(path)
    store.write(noted(1.0))
    reader = open_to_read(path)
    assert reader.resources() == store.resources()
    store.write(noted(2.0))
    assert reader.resources() == store.resources() == [ResourceUsage(A, 2, 2.0, is_served=False)]
    reader.close()
    store.close()


def test_an_empty_file_tells_nothing(path: Path) -> None:
    path.touch()
    with pytest.raises(NotAUsageFile, match="empty"):
        open_to_read(path)
