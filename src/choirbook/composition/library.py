"""Library, and the cache level in Redis that it may share with others."""

from __future__ import annotations

from choirbook.cache.memory import MemoryCache
from choirbook.catalog.catalog import Catalog
from choirbook.composition.secrets import redis_secrets
from choirbook.documents.rendering import Stamp
from choirbook.library.follower import Follower
from choirbook.library.library import Library
from choirbook.model import Source
from choirbook.redis.codec import RepresentationCodec
from choirbook.redis.connection import RedisConnection
from choirbook.redis.feed import Feed
from choirbook.redis.keys import RedisKeys
from choirbook.redis.signatures import Signer
from choirbook.redis.store import SharedStore
from choirbook.redis.url import parse_redis_url
from choirbook.runtime.threads import Threads
from choirbook.settings import Settings


def make_library(
    settings: Settings,
    source: Source,
    catalog: Catalog,
    threads: Threads,
    stamp: Stamp,
    level: SharedStore | None,
) -> Library:
    """Create the library and the objects below it.

    Args:
        settings: See `Settings`.
        source: Source of the documents.
        catalog: Catalog of the documents.
        threads: Run blocking calls.
        stamp: Added to every result.
        level: Shared cache level; None without Redis.
    """
    memory = MemoryCache(
        settings.cache_max_resources,
        settings.cache_max_bytes,
        settings.cache_ttl_s,
        settings.last_good_s,
        settings.cache_grace_s,
    )
    follower = Follower(
        source, catalog, settings.root, threads, rescan_s=settings.rescan_s, watch=settings.watch
    )
    return Library(
        source, catalog, follower, memory, threads, stamp, level, max_waiting=settings.max_waiting_reads
    )


def make_shared_level(settings: Settings, library: str, stamp: Stamp) -> SharedStore | None:
    """Create the cache level in Redis; None without Redis.

    Args:
        settings: See `Settings`.
        library: Name of the library, which is part of all keys.
        stamp: Added to every result: results with different stamps have different keys.

    Raises:
        ExtraMissing: The client library of Redis is not installed.
        InvalidSettings: The file with the secret cannot be used.
    """
    if not settings.redis_url:
        return None
    keys, signer = RedisKeys(library, stamp), Signer(redis_secrets(settings))
    feed = Feed(RedisConnection(parse_redis_url(settings.redis_url)), keys, signer)
    return SharedStore(feed, keys, RepresentationCodec(signer, stamp), settings.cache_ttl_s)
