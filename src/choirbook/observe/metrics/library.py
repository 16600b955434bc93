"""Metrics of the library, of change detection, and of state shared by all workers and hosts."""

from __future__ import annotations

from choirbook.errors import Era
from choirbook.mcp.client_stream import EndReason
from choirbook.observe.metrics.metric import Aggregation, Label, Metric, MetricKind
from choirbook.redis.errors import COMMANDS, Reason
from choirbook.redis.rejections import KINDS
from choirbook.redis.store import LOOKUPS
from choirbook.runtime.quotas import QuotaKind as Shared

CATALOG_SIZE = "choirbook_catalog_resources"
GENERATION = "choirbook_catalog_generation"
READY = "choirbook_ready"
RULES_UP = "choirbook_rules_up"
WATCHING = "choirbook_watch_up"
WATCH_WANTED = "choirbook_watch_wanted"
FAILED_SCANS = "choirbook_failed_scans_total"
SHARED_UP = "choirbook_shared_cache_up"
SHARED_LOOKUPS = "choirbook_shared_cache_lookups_total"
SHARED_WRITES = "choirbook_shared_cache_writes_total"
OPEN_BREAKERS = "choirbook_redis_open_breakers"
BREAKER_OPENINGS = "choirbook_redis_breaker_openings_total"
REDIS_ERRORS = "choirbook_redis_errors_total"
REDIS_DENIED = "choirbook_redis_denied_commands_total"
REDIS_UNVERIFIED = "choirbook_redis_unverified_total"
FEED_UP = "choirbook_feed_up"
FEED_LOSSES = "choirbook_feed_losses_total"
OPEN_STREAMS = "choirbook_open_streams"
ENDED_STREAMS = "choirbook_ended_streams_total"
SESSIONS = "choirbook_sessions"
NOTIFICATIONS = "choirbook_notifications_total"
SHARE_REFUSALS = "choirbook_share_refusals_total"
PEERS_AT_SHARE = "choirbook_peers_at_share"

WRITES = ("written", "dropped")

_WITH_REDIS = "Only with `--redis`. "

LIBRARY = {
    CATALOG_SIZE: Metric(
        MetricKind.GAUGE,
        "Resources that the library serves.",
        "Shows the worker with the fewest, so that a worker that lags behind is visible.",
        "0: the directory is empty, or not mounted. Fewer than expected: run `choirbook check`.",
        whole=Aggregation.LEAST,
    ),
    GENERATION: Metric(
        MetricKind.GAUGE,
        "Number of catalog changes since a worker started, of the worker with the fewest.",
        "Increases when documents are added, removed or changed: `changes()` of it shows when the library "
        "was edited.",
        "If it stays the same while files change, check `choirbook_watch_up` and "
        "`choirbook_failed_scans_total`. "
        "If it increases all the time, something rewrites files, and each change drops them from the cache.",
        whole=Aggregation.LEAST,
    ),
    WATCHING: Metric(
        MetricKind.GAUGE,
        "Whether the system reports changes to the library (1) or only scans find them (0).",
        "With 0, an edit shows after `CHOIRBOOK_RESCAN_S` instead of at once.",
        "Raise `fs.inotify.max_user_watches`. Network file systems do not report changes.",
        whole=Aggregation.LEAST,
    ),
    WATCH_WANTED: Metric(
        MetricKind.GAUGE,
        "Whether the system was asked to report changes to the library (1) or not (0).",
        "With `CHOIRBOOK_WATCH=false` this and `choirbook_watch_up` are 0, and nothing is wrong.",
        "Nothing; it reports a setting.",
        whole=Aggregation.GREATEST,
    ),
    READY: Metric(
        MetricKind.GAUGE,
        "Whether all workers have completed the first scan of the library (1) or not (0).",
        "While it is 0, `/readyz` of some worker responds with 503.",
        "If it stays 0 after the start, `/readyz` and the log give the reason.",
        whole=Aggregation.LEAST,
    ),
    RULES_UP: Metric(
        MetricKind.GAUGE,
        "Whether the current `choirbook.toml` and `.choirbookignore` are in use (1) or have errors (0).",
        "With 0, the previous rules stay in force in at least one worker.",
        "Correct the file and line that `/readyz`, the log and `choirbook check` name.",
        whole=Aggregation.LEAST,
    ),
    FAILED_SCANS: Metric(
        MetricKind.COUNTER,
        "Scans of the library that failed.",
        "Until a scan succeeds, Choirbook detects no changes, and serves the documents that it knows.",
        "Check the library's disk and permissions.",
    ),
    SHARED_UP: Metric(
        MetricKind.GAUGE,
        "Whether Redis is in use (1) or bypassed because it fails (0).",
        _WITH_REDIS + "0 as soon as the circuit breaker of one worker is open. Reads continue without Redis.",
        "See the reason in `choirbook_redis_errors_total`.",
        whole=Aggregation.LEAST,
    ),
    SHARED_LOOKUPS: Metric(
        MetricKind.COUNTER,
        "Lookups in the shared level of the cache, by result.",
        _WITH_REDIS
        + "Misses look there; for a library on a local disk only with `CHOIRBOOK_SHARED_READS=always`.",
        "`corrupt`: something else writes to this Redis. `error`: see `choirbook_redis_errors_total`.",
        (Label("result", LOOKUPS),),
    ),
    SHARED_WRITES: Metric(
        MetricKind.COUNTER,
        "Values written to the shared level of the cache, or dropped.",
        _WITH_REDIS + "The next process that needs a dropped value loads it from the source.",
        "`dropped`: Redis is slow, full, or read-only.",
        (Label("result", WRITES),),
    ),
    OPEN_BREAKERS: Metric(
        MetricKind.GAUGE,
        "Workers that bypass Redis because their circuit breaker is open.",
        _WITH_REDIS
        + "One failure opens the breaker of a worker; a successful probe in the background closes it.",
        "If some workers are affected, check the network and the connection limit; if all are, check Redis.",
    ),
    BREAKER_OPENINGS: Metric(
        MetricKind.COUNTER,
        "How often a worker's circuit breaker opened.",
        _WITH_REDIS + "Shows short outages of Redis, which a gauge misses between scrapes.",
        "Check the latency of Redis: a call that takes 50 ms counts as failed.",
    ),
    REDIS_ERRORS: Metric(
        MetricKind.COUNTER,
        "Redis calls that failed, by reason.",
        _WITH_REDIS + "Calls that an open circuit breaker prevents are not counted.",
        "`auth`: check the password. `permission`: see `choirbook_redis_denied_commands_total`. `full`, "
        "`read_only`: check the memory or the role of Redis. `slow`: Redis is overloaded. `timeout`, "
        "`connection`: check the network. `loading`: Redis is starting. `protocol`, `reply`, `corrupt`: the "
        "address is not that of a Redis, or something else writes to it.",
        (Label("reason", tuple(reason.value for reason in Reason)),),
    ),
    REDIS_DENIED: Metric(
        MetricKind.COUNTER,
        "Commands that Redis denied to Choirbook's user, by command.",
        _WITH_REDIS + "A command keeps failing until the user may run it; the log names it once.",
        "Allow the user the commands that docs/deploying.md lists, on the keys and channels `choirbook:*`.",
        (Label("command", COMMANDS),),
    ),
    REDIS_UNVERIFIED: Metric(
        MetricKind.COUNTER,
        "Data in Redis that Choirbook did not use because its signature or content is wrong, by kind.",
        _WITH_REDIS
        + "Choirbook loads a `value` from the source instead, ignores a `message`, and replaces a "
        "`state`; a `replay` is a genuine message that was sent again.",
        "Either hosts have different values of `CHOIRBOOK_REDIS_SECRET`, or an upgrade is under way, or "
        "somebody else writes to this Redis: check who may (`ACL LIST`).",
        (Label("kind", KINDS),),
    ),
    FEED_UP: Metric(
        MetricKind.GAUGE,
        "Whether workers and hosts can notify each other of changes (1) or not (0).",
        _WITH_REDIS
        + "Also 0 if the Redis user may not publish. With 0, Choirbook compares hits older than four seconds "
        "with the source.",
        "See `choirbook_shared_cache_up`, then `choirbook_redis_denied_commands_total`.",
        whole=Aggregation.LEAST,
    ),
    FEED_LOSSES: Metric(
        MetricKind.COUNTER,
        "How often messages of other workers were lost and a worker compared its complete cache.",
        _WITH_REDIS + "Every interruption of Redis causes some.",
        "If Redis was not interrupted, its output buffer for subscribers is too small.",
    ),
    OPEN_STREAMS: Metric(
        MetricKind.GAUGE,
        "Open notification streams, by era of the protocol.",
        "Each stream notifies one client of changes.",
        "If it is near `CHOIRBOOK_MAX_STREAMS` times the number of workers, raise that setting and "
        "`ulimit -n`.",
        (Label("era", tuple(era.value for era in Era)),),
    ),
    ENDED_STREAMS: Metric(
        MetricKind.COUNTER,
        "Notification streams that ended, by reason.",
        "`client`: the client disconnected. `session`: its session ended. `shutdown`: the server stopped.",
        "`slow`: a client does not read its stream, or a proxy buffers it.",
        (Label("reason", tuple(why.value for why in EndReason)),),
    ),
    SESSIONS: Metric(
        MetricKind.GAUGE,
        "Sessions of the handshake era, over all workers.",
        "A session lasts until the client ends it, or until it was idle for `CHOIRBOOK_SESSION_IDLE_S`.",
        "Near `CHOIRBOOK_MAX_SESSIONS`: clients do not end their sessions; shorten the idle time.",
        whole=Aggregation.GREATEST,
    ),
    SHARE_REFUSALS: Metric(
        MetricKind.COUNTER,
        "How often a client address exceeded `CHOIRBOOK_PEER_SHARE`, by kind of share.",
        "`sessions`: Choirbook ended the address's least recently used session. `connections`, `unread`: "
        "Choirbook "
        "closed one of its connections. All other kinds: Choirbook refused the request with 429.",
        "If one client demands too much, find it in the log of the proxy in front. If many clients share one "
        "address, list the proxy in `CHOIRBOOK_TRUSTED_PROXIES`, or raise the share.",
        (Label("share", tuple(kind.value for kind in Shared)),),
    ),
    PEERS_AT_SHARE: Metric(
        MetricKind.GAUGE,
        "Client addresses that have reached their share, by kind of share.",
        "Each worker counts on its own, except for `sessions`.",
        "See `choirbook_share_refusals_total`.",
        (Label("share", tuple(kind.value for kind in Shared)),),
        whole=Aggregation.GREATEST,
    ),
    NOTIFICATIONS: Metric(
        MetricKind.COUNTER,
        "Notifications sent to clients.",
        "Counts one for each change and each notified client.",
        "If it stays the same while documents change, check `choirbook_open_streams` and "
        "`choirbook_watch_up`.",
    ),
}
