"""The library, and the level in Redis that it may share with others."""

from __future__ import annotations

from carrel.cache.feed import Feed
from carrel.cache.framing import Framing
from carrel.cache.keys import Keys
from carrel.cache.memory import MemoryCache
from carrel.cache.redis_link import RedisLink
from carrel.cache.sealing import Sealing
from carrel.cache.shared import SharedLevel
from carrel.catalog import Catalog
from carrel.composing.secrets import redis_secrets
from carrel.freshness import Freshness
from carrel.library import Library
from carrel.model import Source
from carrel.redis_url import parse_redis_url
from carrel.rendering import Stamp
from carrel.settings import Settings
from carrel.threads import Threads


def make_library(
    settings: Settings,
    source: Source,
    catalog: Catalog,
    threads: Threads,
    stamp: Stamp,
    level: SharedLevel | None,
) -> Library:
    """Make the library and what is under it.

    Args:
        settings: See `Settings`.
        source: Where documents come from.
        catalog: What there is.
        threads: Where blocking calls run.
        stamp: What is put into every result.
        level: The shared level; None where there is no Redis.
    """
    memory = MemoryCache(
        settings.cache_max_resources,
        settings.cache_max_bytes,
        settings.cache_ttl_s,
        settings.last_good_s,
        settings.cache_grace_s,
    )
    freshness = Freshness(
        source, catalog, settings.root, threads, rescan_s=settings.rescan_s, watch=settings.watch
    )
    return Library(
        source, catalog, freshness, memory, threads, stamp, level, max_waiting=settings.max_waiting_reads
    )


def make_shared_level(settings: Settings, library: str, stamp: Stamp) -> SharedLevel | None:
    """Make the level in Redis; None where no Redis is set.

    Args:
        settings: See `Settings`.
        library: Its name, which keys begin with.
        stamp: What is put into every result: values of another stamp are others.

    Raises:
        ExtraMissing: The client library of Redis is not installed.
        InvalidSettings: The file with the secret cannot be used.
    """
    if not settings.redis_url:
        return None
    keys, sealing = Keys(library, stamp), Sealing(redis_secrets(settings))
    feed = Feed(RedisLink(parse_redis_url(settings.redis_url)), keys, sealing)
    return SharedLevel(feed, keys, Framing(sealing, stamp), settings.cache_ttl_s)
