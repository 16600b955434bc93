"""Metrics of the library, of change detection, and of state shared by all workers and hosts."""

from __future__ import annotations

from choirbook.errors import Era
from choirbook.mcp.stream import Ending
from choirbook.observe.metrics.metric import Kind, Label, Metric, Whole
from choirbook.redis.errors import COMMANDS, Reason
from choirbook.redis.rejections import KINDS
from choirbook.redis.store import LOOKUPS
from choirbook.runtime.quotas import Kind as Shared

CATALOG_SIZE = "choirbook_catalog_resources"
GENERATION = "choirbook_catalog_generation"
READY = "choirbook_ready"
RULES_UP = "choirbook_rules_up"
WATCHING = "choirbook_watch_up"
WATCH_WANTED = "choirbook_watch_wanted"
FAILED_SURVEYS = "choirbook_failed_surveys_total"
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
        Kind.GAUGE,
        "Resources that the library serves.",
        "Of all workers the fewest, so that one that lags behind shows.",
        "0: the directory is empty, or not mounted. Fewer than there should be: run `choirbook check`.",
        whole=Whole.LEAST,
    ),
    GENERATION: Metric(
        Kind.GAUGE,
        "How often the catalog has changed since the worker began, of all workers the fewest.",
        "Moves when documents come, go or change: `changes()` of it shows when the library was edited.",
        "Still, though files change: see `choirbook_watch_up` and `choirbook_failed_surveys_total`. Moving all "
        "the time: something rewrites files, and each change empties the cache of them.",
        whole=Whole.LEAST,
    ),
    WATCHING: Metric(
        Kind.GAUGE,
        "Whether the system tells of changes to the library (1) or surveys find them (0).",
        "With 0 an edit shows after `CHOIRBOOK_RESCAN_S` and not at once.",
        "Raise `fs.inotify.max_user_watches`; network file systems have no such news.",
        whole=Whole.LEAST,
    ),
    WATCH_WANTED: Metric(
        Kind.GAUGE,
        "Whether the system was asked to report changes to the library (1) or not (0).",
        "0 with `CHOIRBOOK_WATCH=false`; then `choirbook_watch_up` is 0 too, and nothing is wrong.",
        "Nothing: it reports a setting.",
        whole=Whole.GREATEST,
    ),
    READY: Metric(
        Kind.GAUGE,
        "Whether the first survey of the library is done (1) or not (0), in all workers.",
        "While it is 0, /readyz of some worker responds with 503.",
        "0 for longer than a start takes: /readyz and the log give the reason.",
        whole=Whole.LEAST,
    ),
    RULES_UP: Metric(
        Kind.GAUGE,
        "Whether `choirbook.toml` and `.choirbookignore` are used as they are (1) or have errors (0).",
        "With 0 the rules from before the change stay in force, in at least one worker.",
        "/readyz and the log name the file and the line; `choirbook check` does so as well.",
        whole=Whole.LEAST,
    ),
    FAILED_SURVEYS: Metric(
        Kind.COUNTER,
        "Surveys of the library that failed.",
        "Until one works again no change is seen; what was known is still served.",
        "Look at the library's disk and rights.",
    ),
    SHARED_UP: Metric(
        Kind.GAUGE,
        "Whether Redis is used (1) or left alone because it fails (0).",
        _WITH_REDIS + "0 as soon as the breaker of one worker is open. Reads go on without it.",
        "`choirbook_redis_errors_total` says why.",
        whole=Whole.LEAST,
    ),
    SHARED_LOOKUPS: Metric(
        Kind.COUNTER,
        "Look-ups in the shared level by what they came to.",
        _WITH_REDIS
        + "Made by misses, of a library on a local disk only with `CHOIRBOOK_SHARED_READS=always`.",
        "`corrupt`: something else writes into this Redis. `error`: see `choirbook_redis_errors_total`.",
        (Label("result", LOOKUPS),),
    ),
    SHARED_WRITES: Metric(
        Kind.COUNTER,
        "Values for the shared level, written or dropped.",
        _WITH_REDIS + "A dropped one is loaded from the source by the next process.",
        "Drops: Redis is slow, full, or read-only.",
        (Label("result", WRITES),),
    ),
    OPEN_BREAKERS: Metric(
        Kind.GAUGE,
        "Workers whose breaker is open, so that they leave Redis alone.",
        _WITH_REDIS + "Each worker has a breaker; one failure opens it, a probe in the background closes it.",
        "Some of the workers: the network, or the limit of connections. All: Redis itself.",
    ),
    BREAKER_OPENINGS: Metric(
        Kind.COUNTER,
        "How often a worker's breaker opened.",
        _WITH_REDIS + "Shows a Redis that comes and goes, which a gauge misses between scrapes.",
        "Look at the latency of Redis: a call that takes 50 ms counts as failed.",
    ),
    REDIS_ERRORS: Metric(
        Kind.COUNTER,
        "Calls of Redis that failed, by reason.",
        _WITH_REDIS + "What an open breaker refuses is not counted.",
        "`auth`: the password. `permission`: see `choirbook_redis_denied_commands_total`. `full`, `read_only`: "
        "the memory or the role of Redis. `slow`: it has too much to do. `timeout`, `connection`: the way "
        "there. `loading`: it starts. `protocol`, `reply`, `corrupt`: it is no Redis, or others write to it.",
        (Label("reason", tuple(reason.value for reason in Reason)),),
    ),
    REDIS_DENIED: Metric(
        Kind.COUNTER,
        "Calls that the user of Redis has no right to, by command.",
        _WITH_REDIS + "Each goes on failing until the right is given; the log names it once.",
        "Give the user the commands that docs/deploying.md lists, on the keys and channels `choirbook:*`.",
        (Label("command", COMMANDS),),
    ),
    REDIS_UNVERIFIED: Metric(
        Kind.COUNTER,
        "What was found in Redis and not used, as its seal or its content is wrong, by kind.",
        _WITH_REDIS + "A `value` is loaded from the source instead, a `message` is passed over, a `state` is "
        "replaced; a `replay` is a genuine message that came again.",
        "Either hosts have different values of `CHOIRBOOK_REDIS_SECRET`, or are being upgraded, or somebody "
        "else writes to this Redis: see who may (`ACL LIST`).",
        (Label("kind", KINDS),),
    ),
    FEED_UP: Metric(
        Kind.GAUGE,
        "Whether changes that workers and hosts see reach each other (1) or not (0).",
        _WITH_REDIS
        + "0 also where the user of Redis may not publish. With 0 hits older than four seconds are "
        "compared with the source.",
        "As `choirbook_shared_cache_up`; then `choirbook_redis_denied_commands_total`.",
        whole=Whole.LEAST,
    ),
    FEED_LOSSES: Metric(
        Kind.COUNTER,
        "How often messages of other workers were lost, and all was re-checked.",
        _WITH_REDIS + "Some with every interruption of Redis.",
        "Without interruptions: the output buffer of Redis for subscribers is too small.",
    ),
    OPEN_STREAMS: Metric(
        Kind.GAUGE,
        "Streams of notifications that are open, by era of the protocol.",
        "Clients that are told of changes.",
        "Near `CHOIRBOOK_MAX_STREAMS` for each worker: raise it and `ulimit -n`.",
        (Label("era", tuple(era.value for era in Era)),),
    ),
    ENDED_STREAMS: Metric(
        Kind.COUNTER,
        "Streams that ended, by the reason.",
        "`client`: it hung up. `session`: its session ended. `shutdown`: the server ended.",
        "`slow`: clients that do not take what is sent, or a proxy that holds it back.",
        (Label("reason", tuple(why.value for why in Ending)),),
    ),
    SESSIONS: Metric(
        Kind.GAUGE,
        "Sessions of the handshake era, of all workers together.",
        "Each is kept until it ends or was idle for `CHOIRBOOK_SESSION_IDLE_S`.",
        "Near `CHOIRBOOK_MAX_SESSIONS`: clients begin sessions and do not end them; shorten the idle time.",
        whole=Whole.GREATEST,
    ),
    SHARE_REFUSALS: Metric(
        Kind.COUNTER,
        "How often a client address wanted more than `CHOIRBOOK_PEER_SHARE` allows, by what it wanted.",
        "`sessions`: it began one too many, and the one that it used longest ago ended. `connections`, "
        "`unread`: one of its connections was closed. All others were refused with 429.",
        "One client that asks too much: find it in the log of the proxy in front. Many behind one address: "
        "list the proxy in `CHOIRBOOK_TRUSTED_PROXIES`, or raise the share.",
        (Label("share", tuple(kind.value for kind in Shared)),),
    ),
    PEERS_AT_SHARE: Metric(
        Kind.GAUGE,
        "Client addresses that hold as much as one may, by what they hold.",
        "Counted by each worker for itself, but for `sessions`.",
        "As for `choirbook_share_refusals_total`.",
        (Label("share", tuple(kind.value for kind in Shared)),),
        whole=Whole.GREATEST,
    ),
    NOTIFICATIONS: Metric(
        Kind.COUNTER,
        "Notifications sent to clients.",
        "One for each change and client that is told of it.",
        "None though documents change: see `choirbook_open_streams` and `choirbook_watch_up`.",
    ),
}
