"""What was noted and is not in the file yet: tallies, put together by key, bounded. Pure."""

from __future__ import annotations

import msgspec

from choirbook.usage.clients import MAX_CLIENTS, OTHER, Client

MAX_SEARCHES = 1000
"""Kept, of those that found nothing: clients can invent words without end."""

MAX_LOADED = 20_000
"""Pairs of a client and a document that wait at once; of what is beyond, the client is `OTHER`."""


class Tally(msgspec.Struct):
    """How often, and when last."""

    count: int = 0
    last_s: float = 0.0

    def add(self, count: int, last_s: float) -> None:
        """Count further ones."""
        self.count += count
        self.last_s = max(self.last_s, last_s)


class PendingUsage:
    """What waits to be written."""

    def __init__(self) -> None:
        self.resources: dict[str, Tally] = {}
        """By canonical URI."""
        self.loaded: dict[tuple[Client, str], Tally] = {}
        """By client and canonical URI."""
        self.searches: dict[str, Tally] = {}
        """By query."""
        self.library: tuple[str, ...] | None = None
        """All that is served; None where that is not known anew."""
        self.served: dict[str, bool] = {}
        """What came to the library after that (True), and what went."""
        self._clients: set[Client] = set()

    def __bool__(self) -> bool:
        """Tell whether there is anything to write."""
        return bool(self.resources or self.searches or self.served or self.library is not None)

    def note(self, uri: str, count: int, last_s: float, client: Client | None) -> None:
        """Count reads of a document; see `UsageLedger.note`."""
        self.resources.setdefault(uri, Tally()).add(count, last_s)
        if client is not None:
            self.loaded.setdefault((self._bounded(client, uri), uri), Tally()).add(count, last_s)

    def note_search(self, query: str, count: int, last_s: float) -> None:
        """Count searches that found nothing; those of words beyond the bound are left out."""
        if query in self.searches or len(self.searches) < MAX_SEARCHES:
            self.searches.setdefault(query, Tally()).add(count, last_s)

    def note_library(self, uris: tuple[str, ...]) -> None:
        """Take note of all that is served."""
        self.library, self.served = uris, {}

    def note_change(self, added: tuple[str, ...], removed: tuple[str, ...]) -> None:
        """Take note of what came to the library and what went."""
        self.served.update(dict.fromkeys(removed, False))
        self.served.update(dict.fromkeys(added, True))

    def add(self, later: PendingUsage) -> None:
        """Take in what was noted after this."""
        for uri, tally in later.resources.items():
            self.resources.setdefault(uri, Tally()).add(tally.count, tally.last_s)
        for (client, uri), tally in later.loaded.items():
            key = self._bounded(client, uri), uri
            self.loaded.setdefault(key, Tally()).add(tally.count, tally.last_s)
        for query, tally in later.searches.items():
            self.note_search(query, tally.count, tally.last_s)
        if later.library is not None:
            self.note_library(later.library)
        self.served.update(later.served)

    def _bounded(self, client: Client, uri: str) -> Client:
        if (client, uri) in self.loaded:
            return client
        is_new = client not in self._clients
        if len(self.loaded) >= MAX_LOADED or (is_new and len(self._clients) >= MAX_CLIENTS):
            return OTHER
        self._clients.add(client)
        return client
