"""Every client, over every transport, in every era, does everything that it can; a case for each cell."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from tests.clients.matrix.cells import CONVERSATIONS, OPERATIONS, Conversation, reason_lacking
from tests.clients.matrix.checking import check
from tests.clients.matrix.conversations import Line, converse

CELLS = [(conversation, operation) for conversation in CONVERSATIONS for operation in OPERATIONS]

Lines = Callable[[Conversation], dict[str, Line]]


@pytest.fixture(scope="session")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    """Run each conversation once, when the first of its cells needs it."""
    return cache(lambda conversation: converse(conversation, tmp_path_factory.mktemp(str(conversation))))


@pytest.mark.parametrize(
    ("conversation", "operation"),
    CELLS,
    ids=[f"{conversation}-{operation}" for conversation, operation in CELLS],
)
def test_client_sees_what_the_library_has(
    lines: Lines,
    conversation: Conversation,
    operation: str,
    record_property: Callable[[str, object], None],
) -> None:
    line = lines(conversation)[operation]
    if reason_lacking(conversation, operation):
        assert line.absent, f"the client can do it, or failed at it: {line}"
    else:
        assert line.error is None
        check(conversation, operation, line.seen)
    record_property("conversation", str(conversation))
    record_property("operation", operation)
    record_property("seen", line.seen if operation == "connect" else None)
