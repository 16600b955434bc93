"""Counts what was read, and by whom: from batches of responses to notes in the ledger.

Who reads is found out in the batch, from the request that was kept with the response (see `Notes`). Where it
is not to be known, no request is kept.
"""

from __future__ import annotations

from collections import Counter
from time import monotonic, time

from choirbook.http.exchange import Asked, FailedRead, Read
from choirbook.mcp.client_info import Introduction, introduced
from choirbook.mcp.sessions.http import HEADER, Sessions
from choirbook.model import ResourceInfo, SectionInfo
from choirbook.observe.batch import ResponseBatch
from choirbook.usage.clients import UNKNOWN, Client, named, of_user_agent
from choirbook.usage.ledger import UsageLedger

_MAX_REMEMBERED = 1024
"""Maximum number of remembered clients; beyond it all are forgotten, and identified again."""


class Attribution:
    """Attributes reads to clients.

    Args:
        ledger: Records the reads.
        sessions: Know the clients of the handshake era.
    """

    def __init__(self, ledger: UsageLedger, sessions: Sessions) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._remembered: dict[Introduction | str, Client] = {}

    def take(self, batch: ResponseBatch) -> None:
        """Record the reads of a batch and their clients; see `Observer.also_batches`."""
        last_s = time() - monotonic() + batch.ends_s[-1]
        counts = Counter(
            (self._client(batch.asked.get(place)), read)
            for place, kind in enumerate(batch.kind_of_each)
            for read in kind.reads
        )
        for (client, read), count in counts.items():
            self._note(read, count, last_s, client)

    def take_reads(self, batch: ResponseBatch) -> None:
        """Record the reads of a batch without clients."""
        last_s = time() - monotonic() + batch.ends_s[-1]
        for kind in batch.kinds:
            for read in kind.reads:
                self._note(read, len(kind.latencies_s), last_s, None)

    def _note(self, read: Read, count: int, last_s: float, client: Client | None) -> None:
        if not isinstance(read, FailedRead):
            self._ledger.note(_document(read.info), count, last_s, client)

    def _client(self, asked: Asked) -> Client:
        if asked is None:
            return UNKNOWN
        if isinstance(asked, bytes):
            return self._named(introduced(asked) or "")
        if asked.method == "POST":
            introduction = introduced(asked.body) or self._sessions.introduction(asked.headers.get(HEADER))
            if introduction is not None:
                return self._named(introduction)
        return self._named(asked.headers.get("user-agent") or "")

    def _named(self, stated: Introduction | str) -> Client:
        client = self._remembered.get(stated)
        if client is None:
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            client = of_user_agent(stated) if isinstance(stated, str) else named(*stated)
            self._remembered[stated] = client
        return client


def _document(info: ResourceInfo) -> str:
    return info.document.canonical_uri if isinstance(info, SectionInfo) else info.canonical_uri
