"""Ledger of reads."""

from __future__ import annotations

from pathlib import Path

from choirbook.catalog.catalog import Catalog
from choirbook.model import Change
from choirbook.settings import Settings
from choirbook.usage.ledger import UsageLedger
from choirbook.usage.schema import FILE_NAME, IN_MEMORY


def make_usage_ledger(settings: Settings, catalog: Catalog, shared: Path | None) -> UsageLedger:
    """Create the ledger of reads, and report added and removed documents to it.

    Args:
        settings: Decide where it is kept, and whether by client.
        catalog: Catalog whose documents are read.
        shared: Directory shared by this server's workers, with their ledger; None if there is one process.
    """
    path = settings.usage or (IN_MEMORY if shared is None else shared / FILE_NAME)
    ledger = UsageLedger(path, is_kept=settings.usage is not None, counts_clients=settings.counts_clients)

    def note(change: Change) -> None:
        added = (info for uri in change.added if (info := catalog.find(uri)) is not None)
        # An alias would list a document twice.
        documents = tuple(info.uri for info in added if info.uri == info.canonical_uri)
        ledger.note_change(documents, change.removed)

    catalog.listen(note)
    return ledger
