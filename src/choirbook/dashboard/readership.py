"""Reads, clients and searches without results, as shown on the page.

The ledger is read on a thread, and once for all viewers: a large one is read less often.
"""

from __future__ import annotations

from collections import defaultdict
from time import monotonic

import msgspec

from choirbook.runtime.threads import Threads
from choirbook.usage.ledger import UsageLedger
from choirbook.usage.records import ClientDocumentUsage, ClientUsage, EmptySearch, ResourceUsage

SHOWN = 100
"""Maximum entries of a list; the total number is shown too."""

SHOWN_OF_CLIENT = 30
"""Maximum number of documents listed for one client."""

_GOOD_FOR_S = 4.0
_SHARE = 0.02
"""Maximum share of time spent reading the ledger."""


class ClientReads(msgspec.Struct, frozen=True, rename="camel"):
    """One client with the documents that it read most."""

    name: str
    version: str
    reads: int
    last_read_s: float
    documents: int
    loaded: list[tuple[str, int]]


class Summary(msgspec.Struct, frozen=True, rename="camel"):
    """Lists on the page."""

    most_read: list[ResourceUsage]
    never_read: list[str]
    never_read_count: int
    documents: int
    counts_clients: bool
    """Whether clients and searches are recorded; if not, the last two lists are empty."""
    clients: list[ClientReads]
    empty_searches: list[EmptySearch]


class _KnownUsage(msgspec.Struct, frozen=True):
    by_uri: dict[str, ResourceUsage]
    summary: Summary
    until_s: float


class Readership:
    """Reader of one ledger.

    Args:
        ledger: Records of reads and clients.
        threads: Read the ledger.
    """

    def __init__(self, ledger: UsageLedger, threads: Threads) -> None:
        self._ledger = ledger
        self._threads = threads
        self._known: _KnownUsage | None = None

    async def summary(self) -> Summary:
        """Return the lists of the page."""
        return (await self._look()).summary

    async def of(self, uri: str) -> ResourceUsage | None:
        """Return the usage of a document.

        Args:
            uri: Canonical.
        """
        return (await self._look()).by_uri.get(uri)

    async def _look(self) -> _KnownUsage:
        if self._known is None or monotonic() >= self._known.until_s:
            self._known = await self._threads.run(self._read)
        return self._known

    def _read(self) -> _KnownUsage:
        start_s = monotonic()
        ledger = self._ledger
        resources = ledger.resources()
        counts_clients = ledger.counts_clients
        clients = _clients(ledger.clients(), ledger.loaded()) if counts_clients else []
        searches = ledger.empty_searches()[:SHOWN] if counts_clients else []
        made = summary_of(resources, clients, searches, counts_clients=counts_clients)
        end_s = monotonic()
        good_for_s = max(_GOOD_FOR_S, (end_s - start_s) / _SHARE)
        return _KnownUsage({each.uri: each for each in resources}, made, end_s + good_for_s)


def summary_of(
    resources: list[ResourceUsage],
    clients: list[ClientReads],
    searches: list[EmptySearch],
    *,
    counts_clients: bool,
) -> Summary:
    """Build the lists of the page from the ledger's records."""
    served = [each for each in resources if each.is_served]
    read = sorted((each for each in served if each.reads), key=lambda each: (-each.reads, each.uri))
    never = [each.uri for each in served if not each.reads]
    lists = (read[:SHOWN], never[:SHOWN], len(never), len(served))
    return Summary(*lists, counts_clients, clients, searches)


def _clients(clients: list[ClientUsage], loaded: list[ClientDocumentUsage]) -> list[ClientReads]:
    by_client: defaultdict[tuple[str, str], list[ClientDocumentUsage]] = defaultdict(list)
    for each in loaded:
        by_client[each.name, each.version].append(each)
    made = []
    for client in clients[:SHOWN]:
        of_client = sorted(by_client[client.name, client.version], key=lambda each: (-each.reads, each.uri))
        most = [(each.uri, each.reads) for each in of_client[:SHOWN_OF_CLIENT]]
        values = (client.name, client.version, client.reads, client.last_read_s)
        made.append(ClientReads(*values, len(of_client), most))
    return made
