"""Attribution of reads to documents and clients: from batches of responses to the usage ledger.

The client is determined from the request that was kept with the response (see `ResponseBuffer`). If clients
are not counted, no request is kept.
"""

from __future__ import annotations

from collections import Counter
from time import monotonic, time

from choirbook.http.exchange import FailedRead, Read, RequestSource
from choirbook.mcp.client_info import ClientInfo, client_info_of
from choirbook.mcp.sessions.http import HEADER, HttpSessions
from choirbook.model import ResourceInfo, SectionInfo
from choirbook.observe.batch import ResponseBatch
from choirbook.usage.clients import UNKNOWN, Client, named, of_user_agent
from choirbook.usage.ledger import UsageLedger

_MAX_REMEMBERED = 1024
"""Maximum number of remembered clients; beyond it all are forgotten, and identified again."""


class UsageAttribution:
    """Attributes reads to clients.

    Args:
        ledger: Records the reads.
        sessions: Sessions of the handshake era, with their clients.
    """

    def __init__(self, ledger: UsageLedger, sessions: HttpSessions) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._remembered: dict[ClientInfo | str, Client] = {}

    def take(self, batch: ResponseBatch) -> None:
        """Record the reads of a batch and their clients; see `Observer.also_batches`."""
        last_s = time() - monotonic() + batch.ends_s[-1]
        counts = Counter(
            (self._client(batch.requests.get(place)), read)
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

    def _client(self, request: RequestSource) -> Client:
        if request is None:
            return UNKNOWN
        if isinstance(request, bytes):
            return self._named(client_info_of(request) or "")
        if request.method == "POST":
            client_info = client_info_of(request.body) or self._sessions.client_info(
                request.headers.get(HEADER)
            )
            if client_info is not None:
                return self._named(client_info)
        return self._named(request.headers.get("user-agent") or "")

    def _named(self, stated: ClientInfo | str) -> Client:
        client = self._remembered.get(stated)
        if client is None:
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            client = of_user_agent(stated) if isinstance(stated, str) else named(*stated)
            self._remembered[stated] = client
        return client


def _document(info: ResourceInfo) -> str:
    return info.document.canonical_uri if isinstance(info, SectionInfo) else info.canonical_uri
