"""Share of one peer in all streams, and in the bytes that they watch."""

from __future__ import annotations

import pytest

from choirbook.catalog.catalog import Catalog
from choirbook.errors import QuotaExceeded
from choirbook.mcp.client_stream import EndReason
from choirbook.mcp.open_streams import OpenStreams
from choirbook.runtime.quotas import EVERYONE, QuotaKind, Quotas
from tests.support.shelves import Shelf, opened

GREEDY, OTHER = "192.0.2.1", "192.0.2.2"


def sharing(catalog: Catalog) -> OpenStreams:
    quotas = Quotas(0.25, {QuotaKind.STREAMS: 8, QuotaKind.SUBSCRIPTIONS: 4000})
    return OpenStreams(catalog, 8, 3600.0, lambda: None, quotas=quotas)


async def test_peer_with_its_share_of_streams_gets_no_more_until_one_ends(shelf: Shelf) -> None:
    streams = sharing(shelf.catalog)
    first, _ = opened(streams, peer=GREEDY)
    streams.admit(peer=GREEDY)
    opened(streams, peer=GREEDY)
    with pytest.raises(QuotaExceeded, match="2 streams open"):
        streams.admit(peer=GREEDY)
    streams.admit(peer=OTHER)
    streams.admit(peer=EVERYONE)
    first.end(EndReason.SESSION)
    streams.admit(peer=GREEDY)
    streams.close()


async def test_peer_with_its_share_of_watched_bytes_gets_no_more_until_one_ends(shelf: Shelf) -> None:
    streams = sharing(shelf.catalog)
    stream, _ = opened(streams, peer=GREEDY, uri_bytes=600)
    assert streams.watched_bytes == 600
    streams.admit(1, 400, GREEDY)
    with pytest.raises(QuotaExceeded, match="limit of watched URIs"):
        streams.admit(1, 401, GREEDY)
    streams.admit(1, 401, OTHER)
    stream.end(EndReason.SESSION)
    assert streams.watched_bytes == 0
    streams.admit(1, 1000, GREEDY)
    streams.close()


async def test_stream_that_was_opened_without_uris_holds_no_bytes(shelf: Shelf) -> None:
    streams = sharing(shelf.catalog)
    assert streams.watched_bytes == 0
    opened(streams, "a", peer=GREEDY)
    assert streams.watched_bytes == 0
    streams.admit(1, 1000, GREEDY)
    streams.close()
