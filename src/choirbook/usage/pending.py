"""Notes that are not in the file yet: tallies, grouped by key, bounded. Pure."""

from __future__ import annotations

import msgspec

from choirbook.usage.clients import MAX_CLIENTS, OTHER, Client

MAX_SEARCHES = 1000
"""Maximum number of pending searches without results: clients can invent words without end."""

MAX_LOADED = 20_000
"""Maximum number of pending pairs of client and document; beyond it the client is `OTHER`."""


class Tally(msgspec.Struct):
    """Number of events, and time of the last one."""

    count: int = 0
    last_s: float = 0.0

    def add(self, count: int, last_s: float) -> None:
        """Add further events."""
        self.count += count
        self.last_s = max(self.last_s, last_s)


class PendingUsage:
    """Notes that wait to be written."""

    def __init__(self) -> None:
        self.resources: dict[str, Tally] = {}
        """Tallies by canonical URI."""
        self.loaded: dict[tuple[Client, str], Tally] = {}
        """Tallies by client and canonical URI."""
        self.searches: dict[str, Tally] = {}
        """Tallies by query."""
        self.library: tuple[str, ...] | None = None
        """All served documents; None if there is no news of them."""
        self.served: dict[str, bool] = {}
        """Documents added to the library after that (True), and removed (False)."""
        self._clients: set[Client] = set()

    def __bool__(self) -> bool:
        """Return whether there is anything to write."""
        return bool(self.resources or self.searches or self.served or self.library is not None)

    def note(self, uri: str, count: int, last_s: float, client: Client | None) -> None:
        """Count reads of a document; see `UsageLedger.note`."""
        self.resources.setdefault(uri, Tally()).add(count, last_s)
        if client is not None:
            self.loaded.setdefault((self._bounded(client, uri), uri), Tally()).add(count, last_s)

    def note_search(self, query: str, count: int, last_s: float) -> None:
        """Count searches without results; new queries beyond the limit are dropped."""
        if query in self.searches or len(self.searches) < MAX_SEARCHES:
            self.searches.setdefault(query, Tally()).add(count, last_s)

    def note_library(self, uris: tuple[str, ...]) -> None:
        """Record all served documents."""
        self.library, self.served = uris, {}

    def note_change(self, added: tuple[str, ...], removed: tuple[str, ...]) -> None:
        """Record documents added to the library and removed."""
        self.served.update(dict.fromkeys(removed, False))
        self.served.update(dict.fromkeys(added, True))

    def add(self, later: PendingUsage) -> None:
        """Merge later notes."""
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
