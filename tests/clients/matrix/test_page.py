"""`docs/clients.md` is what the kept run, the list of clients and their pinned versions make of it."""

from __future__ import annotations

import pytest

from tests.clients.matrix.cells import CLIENTS, CONVERSATIONS, OPERATIONS, Conversation, reason_lacking
from tests.clients.matrix.checking import REVISIONS
from tests.clients.matrix.page import COMMAND, KEPT, PAGE, Run, load, render, spell

AGAIN = f"Run it again: {COMMAND}"


def whole() -> dict[str, Run]:
    """Make the run in which all is as it has to be."""
    return {str(each): expected(each) for each in CONVERSATIONS}


def expected(conversation: Conversation) -> Run:
    connects = reason_lacking(conversation, "connect") is None
    version, revision = CLIENTS[conversation.client].version, REVISIONS[conversation.era]
    return Run(list(OPERATIONS), *((version, revision) if connects else ()))


def row(page: str, title: str, era: str) -> list[str]:
    """Return the cells of the operations."""
    (found,) = [line for line in page.splitlines() if line.startswith(f"| {title} |") and f"| {era}" in line]
    return found.strip("| ").split(" | ")[3:]


def test_kept_run_is_of_every_client_and_version_that_there_is_now() -> None:
    assert load(KEPT) == whole(), AGAIN


def test_page_is_what_the_kept_run_makes_of_it() -> None:
    assert PAGE.read_text("utf-8") == render(load(KEPT)), AGAIN


def test_run_is_kept_as_it_was() -> None:
    assert KEPT.read_text("utf-8") == spell(load(KEPT))


@pytest.mark.parametrize(
    ("missing", "cell"),
    [(["http"], "stdio only"), (["stdio"], "http only"), (["http", "stdio"], "✗"), ([], "✓")],
)
def test_cell_says_over_which_transports_it_is_so(missing: list[str], cell: str) -> None:
    runs = whole()
    for transport in missing:
        del runs[f"python-sdk-2-{transport}-modern"]

    assert row(render(runs), "Python SDK 2", "modern") == [cell] * len(OPERATIONS)


def test_operation_that_did_not_go_well_is_marked_alone() -> None:
    runs = whole()
    for transport in ("http", "stdio"):
        runs[f"fastmcp-{transport}-modern"] = Run([each for each in OPERATIONS if each != "search"])

    cells = dict(zip(OPERATIONS, row(render(runs), "FastMCP", "modern"), strict=True))
    assert [operation for operation, cell in cells.items() if cell == "✗"] == ["search"]


def test_what_a_client_does_not_offer_has_its_reason_below_the_table() -> None:
    page = render(whole())

    (number,) = set(row(page, "Python SDK 1", "modern"))
    assert f"{number}. {CLIENTS['python-sdk-1'].eras_lacking['modern']}" in page.splitlines()
