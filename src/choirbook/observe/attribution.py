"""Attribution of reads to documents and clients: from batches of responses to notes in the ledger.

The client is determined when the batch is processed, from the request kept with the response. If clients are
not recorded, no request is kept, and a read costs no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine
from time import monotonic, time
from typing import Any

import msgspec

from choirbook.http.exchange import Answer, FailedRead, Handler, Read, Request, Response, Streaming
from choirbook.mcp.client_info import Introduction, introduced
from choirbook.mcp.sessions.http import HEADER, Sessions
from choirbook.model import ResourceInfo, SectionInfo
from choirbook.observe.batch import Batch
from choirbook.usage.clients import UNKNOWN, Client, named, of_user_agent
from choirbook.usage.ledger import UsageLedger

MAX_STATING_BYTES = 16 * 1024
"""Maximum body length, in bytes, kept for this; the client of a longer one is identified by its headers."""

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

    def take(self, batch: Batch) -> None:
        """Record the reads of a batch and their clients; see `Observer.also_batches`."""
        last_s = time() - monotonic() + batch.ends_s[-1]
        counts = Counter(
            (self._client(batch.stated.get(place)), read)
            for place, kind in enumerate(batch.kind_of_each)
            for read in kind.reads
        )
        for (client, read), count in counts.items():
            self._note(read, count, last_s, client)

    def take_reads(self, batch: Batch) -> None:
        """Record the reads of a batch without clients."""
        last_s = time() - monotonic() + batch.ends_s[-1]
        for kind in batch.kinds:
            for read in kind.reads:
                self._note(read, len(kind.latencies_s), last_s, None)

    def _note(self, read: Read, count: int, last_s: float, client: Client | None) -> None:
        if not isinstance(read, FailedRead):
            self._ledger.note(_document(read.info), count, last_s, client)

    def _client(self, stated: Request | bytes | None) -> Client:
        if stated is None:
            return UNKNOWN
        if isinstance(stated, bytes):
            return self._named(introduced(stated) or "")
        if stated.method == "POST":
            introduction = introduced(stated.body) or self._sessions.introduction(stated.headers.get(HEADER))
            if introduction is not None:
                return self._named(introduction)
        return self._named(stated.headers.get("user-agent") or "")

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


def stating(respond: Handler) -> Handler:
    """Keep requests with the responses of those that read something."""

    def respond_stating(request: Request) -> Answer:
        answer = respond(request)
        if not isinstance(answer, Response):
            return _await_stating(answer, request)
        if answer.reads:
            answer.stated = _short(request)
        return answer

    return respond_stating


async def _await_stating(
    answer: Coroutine[Any, Any, Response | Streaming], request: Request
) -> Response | Streaming:
    response = await answer
    if isinstance(response, Response) and response.reads:
        response.stated = _short(request)
    return response


def _short(request: Request) -> Request:
    if len(request.body) <= MAX_STATING_BYTES:
        return request
    return msgspec.structs.replace(request, body=b"")
