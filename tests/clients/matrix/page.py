"""Makes `docs/clients.md` of the list of clients and a run of the matrix that was kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from tests.clients.matrix.cells import (
    CLIENTS,
    CONVERSATIONS,
    OPERATIONS,
    TRANSPORTS,
    Conversation,
    reason_lacking,
)
from tests.support.servers import ERAS, REPOSITORY

PAGE = REPOSITORY / "docs" / "clients.md"
KEPT = REPOSITORY / "docs" / "clients.json"

COMMAND = "task clients"

_INTRODUCTION = f"""\
# Clients

This table shows which operations work with which client. CI runs every cell for every change, with the real
client and a real Choirbook. ✓ means that the client passed the check over HTTP and over stdio. A number means
that the client does not support the operation; the reason is below the table. `{COMMAND}` runs all cells and
makes this page.
"""


class Run(msgspec.Struct, frozen=True, omit_defaults=True):
    """Result of one conversation."""

    operations: list[str]
    """Those whose cell is as it has to be."""
    version: str | None = None
    revision: str | None = None


def load(path: Path) -> dict[str, Run]:
    """Return a run of the matrix that was kept: by conversation, what came of it."""
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Run])


def spell(runs: Mapping[str, Run]) -> str:
    """Return a run of the matrix as it is kept: a line for each conversation."""
    lines = [f'"{name}": {msgspec.json.encode(run).decode()}' for name, run in runs.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def render(runs: Mapping[str, Run]) -> str:
    """Return the page.

    Args:
        runs: By conversation.
    """
    footnotes: list[str] = []
    head = ["Client", "Version", "Era", *OPERATIONS]
    rows = [_row(client, era, runs, footnotes) for client in CLIENTS for era in ERAS]
    reasons = [f"{number}. {reason}" for number, reason in enumerate(footnotes, start=1)]
    meanings = [f"- **{operation}**: {meaning}" for operation, meaning in OPERATIONS.items()]
    notes = [
        f"- **{client.title}** (`{client.package}`): {client.note}"
        for client in CLIENTS.values()
        if client.note
    ]
    parts = [
        _INTRODUCTION.rstrip(),
        "\n".join(_line(cells) for cells in [head, ["---"] * len(head), *rows]),
        "\n".join(reasons),
        "## Checks\n\n" + "\n".join(meanings),
        "## Notes on clients\n\n" + "\n".join(notes),
    ]
    return "\n\n".join(parts) + "\n"


def _row(client: str, era: str, runs: Mapping[str, Run], footnotes: list[str]) -> list[str]:
    conversations = [each for each in CONVERSATIONS if each.client == client and each.era == era]
    found = [run for each in conversations if (run := runs.get(str(each))) is not None]
    revision = ", ".join(dict.fromkeys(run.revision for run in found if run.revision))
    cells = [_cell(conversations, operation, runs, footnotes) for operation in OPERATIONS]
    return [CLIENTS[client].title, CLIENTS[client].version, f"{era} {revision}".strip(), *cells]


def _cell(
    conversations: list[Conversation], operation: str, runs: Mapping[str, Run], footnotes: list[str]
) -> str:
    reason = reason_lacking(conversations[0], operation)
    if reason is not None:
        if reason not in footnotes:
            footnotes.append(reason)
        return str(footnotes.index(reason) + 1)
    done = [
        each.transport
        for each in conversations
        if (run := runs.get(str(each))) is not None and operation in run.operations
    ]
    return "✓" if len(done) == len(TRANSPORTS) else ", ".join(done) + " only" if done else "✗"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
