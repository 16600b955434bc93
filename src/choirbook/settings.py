"""Settings, read once. Precedence: flags > environment > environment file > settings file > defaults.

Pure but for `load`, which reads the environment and the files named on the command line. Nothing is
read from the working directory by itself: an agent may start Choirbook inside a repository that somebody
else wrote. Only the composition root and the command line call it.
"""

from __future__ import annotations

import ipaddress
import math
import os
import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from choirbook.environment import PREFIX, explain, read_env_file, refuse_former, refuse_unknown
from choirbook.errors import InvalidSettings
from choirbook.redis.url import RedisUrl, parse_redis_url
from choirbook.runtime.admin_address import AdminAddress, LoopbackAddress, parse_admin_address
from choirbook.text.loopback import is_loopback
from choirbook.text.suggestions import similar_name

STARTER_LIBRARY = Path(__file__).parent / "starter"

MIB = 1024 * 1024

_MAX_PORT = 65535
_MAX_WORKERS = 256
_MAX_PAGE_SIZE = 10_000
_MIN_BODY_BYTES = 1024
MIN_TOKEN_CHARACTERS = 16
"""Minimum length of an admin token: as hexadecimal digits these are 64 bits."""

_TOKEN = re.compile(rf"[A-Za-z0-9\-._~+/=]{{{MIN_TOKEN_CHARACTERS},1024}}\Z")
"""Syntax of a token: RFC 6750, section 2.1, except for its length."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MIN_SECRET_CHARACTERS = 32
"""Minimum length of a secret: as hexadecimal digits these are 128 bits, too many to guess one that fits a
signed value."""

_MIN_SECRET_VARIETY = 8
"""Minimum number of different characters: one in a million sets of 32 random hexadecimal digits has fewer."""

_SECRET = re.compile(rf"[A-Za-z0-9\-._~+/=]{{{MIN_SECRET_CHARACTERS},1024}}\Z")

ANY_HOST = "*"
"""Entry of `allowed_hosts` that accepts any name."""

_HOST_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}\Z")
_ORIGIN = re.compile(r"https?://[^/@?#,*\s]+\Z")

_MAX_STREAMS = 100_000
_MAX_SESSIONS = 1_000_000


class LogFormat(StrEnum):
    """Format of log lines on stderr."""

    AUTO = "auto"
    """`console` on a terminal, `json` elsewhere."""
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """Minimum level of logged events; `access_log` and `log_hits` control the logging of reads."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class SharedReads(StrEnum):
    """Which misses ask Redis before the source."""

    AUTO = "auto"
    """Only if the library is on a network file system."""
    ALWAYS = "always"
    NEVER = "never"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a Choirbook process; `docs/settings.md` is made of the text below each field.

    Units are in the names: `_bytes` is bytes, `_s` is seconds.
    """

    root: Path = STARTER_LIBRARY
    """Directory of the library."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8000
    """Port to listen on; 0 lets the system choose a free one."""
    workers: int = 1
    """Number of worker processes."""
    public: bool = False
    """Allow listening beyond loopback. Clients do not have to log in."""
    allowed_hosts: tuple[str, ...] | None = None
    """Names that clients may send in `Host` in addition to those of this machine; `*` accepts any name. See
    [Names, origins and paths](deploying.md#names-origins-and-paths)."""
    allowed_origins: tuple[str, ...] = ()
    """Browser origins to accept in addition to those of this machine, such as `https://agents.example`."""
    trusted_proxies: tuple[str, ...] = ()
    """Proxies whose `X-Forwarded-For` and `X-Forwarded-Prefix` are trusted: addresses, networks, `unix`."""
    cache_ttl_s: float = 300.0
    """Time until a cached document is read from the source again, even if no change was detected."""
    cache_grace_s: float = 300.0
    """Time after `CACHE_TTL` during which the cached document is still served while it is loaded in the
    background; with 0, the reader waits for the load."""
    cache_max_resources: int = 1000
    """Maximum number of resources in the memory cache of each worker."""
    cache_max_bytes: int = 256 * MIB
    """Maximum size of the memory cache of each worker."""
    last_good_s: float = 600.0
    """Time for which a document that can no longer be read is served from memory."""
    client_ttl_s: float = 1.0
    """Time for which clients may reuse a response without revalidation (`ttlMs`, `max-age`)."""
    max_body_bytes: int = 1 * MIB
    """Maximum size of a request body."""
    body_timeout_s: float = 30.0
    """Time within which a request body must arrive completely."""
    max_batch_bytes: int = 16 * MIB
    """Maximum total size of the replies to a batch (revision 2025-03-26); further requests fail. The first
    reply is sent even if it is larger alone."""
    max_document_bytes: int = 8 * MIB
    """Maximum size of a document. Larger ones are not served; `choirbook check` lists them."""
    page_size: int = 500
    """Number of resources on one page of an MCP listing."""
    watch: bool = True
    """Watch the library with inotify, in addition to the regular scans."""
    rescan_s: float = 3.0
    """Pause between complete scans of the library, which find changes that the watcher missed."""
    max_waiting_reads: int = 2048
    """Maximum number of reads of a worker that wait for the source; others get 503 and `Retry-After`."""
    max_streams: int = 8192
    """Maximum number of open notification streams of a worker."""
    keep_alive_s: float = 15.0
    """Longest silence on a stream before a keep-alive is sent; many proxies close streams after a minute."""
    stall_s: float = 20.0
    """Time after which a client that reads nothing of a response is disconnected."""
    peer_share: float = 0.25
    """Fraction of all streams, sessions, connections and waiting requests that one client address may hold;
    1 switches the limit off. See [Client shares](deploying.md#client-shares)."""
    max_sessions: int = 10_000
    """Maximum number of sessions of handshake-era clients, over all workers; 0 disables sessions."""
    session_idle_s: float = 1800.0
    """Time after which a session without requests and open streams ends."""
    metrics: bool = True
    """Record metrics and publish them at `/metrics`."""
    access_log: bool = True
    """Log each read on stderr. See [Logging](logging.md)."""
    log_hits: float = 1.0
    """Fraction of cache hits to log, from 0 to 1. Misses and failures are always logged."""
    log_request_ids: bool = False
    """Log the request id and the trace id of each read. This makes every cached read more expensive."""
    log_format: LogFormat = LogFormat.AUTO
    """Format of log lines; `auto` is `console` on a terminal and `json` elsewhere."""
    log_level: LogLevel = LogLevel.INFO
    """Minimum log level of events. Reads are controlled by `CHOIRBOOK_ACCESS_LOG` and
    `CHOIRBOOK_LOG_HITS`."""
    usage: Path | None = None
    """SQLite file that keeps usage counts across restarts. Without it, they last until the server stops. See
    [Usage](usage.md)."""
    usage_clients: bool | None = None
    """Record which clients read what, and searches with no results. By default only with
    `CHOIRBOOK_USAGE`."""
    server_timing: bool = False
    """Send the timing of each stage to HTTP clients, in the header `Server-Timing`."""
    trace_slow_s: float = 0.1
    """Requests that take longer are always traced, if tracing is on. See [Tracing](tracing.md)."""
    preload: bool = False
    """Load the library into memory after the start, in the background."""
    tools: bool = True
    """Offer read-only MCP tools, for clients whose model cannot read resources."""
    dashboard: bool | None = None
    """Serve the [dashboard](dashboard.md) at `/dashboard`. By default only on loopback."""
    # Never log this one, a secret, or a token: the URL may hold a password.
    redis_url: str = ""
    """URL of the Redis that all workers and hosts share: `redis://[user:password@]host[:port][/database]`,
    `rediss://` for TLS (`?ca=FILE`), or `unix:///path`."""
    redis_secret: str = ""
    """Secret of 32 or more characters that signs values in Redis; the same on every host. Required unless
    Redis is on loopback or a Unix socket. See [Redis secret](deploying.md#redis-secret)."""
    redis_previous_secret: str = ""
    """Second secret that is accepted as well while the secret is rotated."""
    redis_secret_file: Path | None = None
    """File with the Redis secret in its first line and the previous secret in an optional second line."""
    redis_unsigned: bool = False
    """Use a Redis on another machine without a secret: anyone who can write to it decides what is served."""
    shared_reads: SharedReads = SharedReads.AUTO
    """When a miss asks Redis before it reads the library; `auto` does so for network file systems."""
    admin: str = ""
    """Address of the admin listener: `unix:PATH`, or `127.0.0.1:PORT` with a token. See
    [Administration](administration.md)."""
    admin_token: str = ""
    """Token that admin calls must send."""
    admin_token_file: Path | None = None
    """File with the admin token."""

    def __post_init__(self) -> None:
        """Check conditions that types cannot express.

        Raises:
            InvalidSettings: A value is out of range.
        """
        _require(0 <= self.port <= _MAX_PORT, "port", f"a number from 0 to {_MAX_PORT}")
        _require(1 <= self.workers <= _MAX_WORKERS, "workers", f"a number from 1 to {_MAX_WORKERS}")
        _require(0 < self.cache_ttl_s < math.inf, "cache_ttl_s", "more than 0 seconds")
        _require(0 <= self.cache_grace_s < math.inf, "cache_grace_s", "0 seconds or more")
        _require(self.cache_max_resources >= 1, "cache_max_resources", "at least 1")
        _require(self.cache_max_bytes >= MIB, "cache_max_bytes", "at least 1048576 bytes (1 MiB)")
        _require(0 <= self.client_ttl_s < math.inf, "client_ttl_s", "0 seconds or more")
        _require(
            self.max_body_bytes >= _MIN_BODY_BYTES, "max_body_bytes", f"at least {_MIN_BODY_BYTES} bytes"
        )
        _require(0 < self.body_timeout_s < math.inf, "body_timeout_s", "more than 0 seconds")
        _require(self.max_batch_bytes >= 1, "max_batch_bytes", "at least 1 byte")
        _require(self.max_document_bytes >= 1, "max_document_bytes", "at least 1 byte")
        _require(1 <= self.page_size <= _MAX_PAGE_SIZE, "page_size", f"a number from 1 to {_MAX_PAGE_SIZE}")
        _require(0 <= self.log_hits <= 1, "log_hits", "a number from 0 to 1")
        _require(0 < self.rescan_s < math.inf, "rescan_s", "more than 0 seconds")
        _require(self.max_waiting_reads >= 1, "max_waiting_reads", "at least 1")
        _require(0 <= self.max_streams <= _MAX_STREAMS, "max_streams", f"a number from 0 to {_MAX_STREAMS}")
        _require(0 < self.keep_alive_s < math.inf, "keep_alive_s", "more than 0 seconds")
        _require(0 < self.stall_s < math.inf, "stall_s", "more than 0 seconds")
        _require(
            0 <= self.max_sessions <= _MAX_SESSIONS, "max_sessions", f"a number from 0 to {_MAX_SESSIONS}"
        )
        _require(0 < self.peer_share <= 1, "peer_share", "a number over 0 and up to 1")
        _require(0 < self.session_idle_s < math.inf, "session_idle_s", "more than 0 seconds")
        _require(self.trace_slow_s >= 0, "trace_slow_s", "0 seconds or more")
        parse_networks(self.trusted_proxies)
        _check_names(self.allowed_hosts or (), self.allowed_origins)
        if self.redis_url:
            self._check_redis(parse_redis_url(self.redis_url))
        if self.admin:
            self._check_admin(parse_admin_address(self.admin))

    def _check_redis(self, url: RedisUrl) -> None:
        has_file = self.redis_secret_file is not None
        if has_file and (self.redis_secret or self.redis_previous_secret):
            raise InvalidSettings(
                "The Redis secret is set twice: by CHOIRBOOK_REDIS_SECRET and by a file. Use one of them."
            )
        if self.redis_previous_secret and not self.redis_secret:
            raise InvalidSettings(
                "CHOIRBOOK_REDIS_PREVIOUS_SECRET is set and CHOIRBOOK_REDIS_SECRET is not. Set both, or "
                "neither."
            )
        if not (url.is_local or self.redis_secret or has_file or self.redis_unsigned):
            raise InvalidSettings(
                f"Redis at {url.place} is on another machine, and whatever others write there would be "
                "served. Set CHOIRBOOK_REDIS_SECRET or --redis-secret-file to the same secret on every host "
                "(create one with: openssl rand -hex 32), or pass --redis-unsigned to trust everyone who "
                "can write there."
            )
        for secret, name in (
            (self.redis_secret, "CHOIRBOOK_REDIS_SECRET"),
            (self.redis_previous_secret, "CHOIRBOOK_REDIS_PREVIOUS_SECRET"),
        ):
            if secret:
                check_redis_secret(secret, name)

    def _check_admin(self, address: AdminAddress) -> None:
        has_token, has_file = bool(self.admin_token), self.admin_token_file is not None
        if has_token and has_file:
            raise InvalidSettings(
                "The admin token is set twice: by CHOIRBOOK_ADMIN_TOKEN and by a file. Use one of them."
            )
        if isinstance(address, LoopbackAddress) and not has_token and not has_file:
            raise InvalidSettings(
                f"Every user of this machine could call {address}, so admin calls there need a token. "
                "Set CHOIRBOOK_ADMIN_TOKEN or --admin-token-file, or use --admin unix:PATH."
            )
        if has_token:
            check_admin_token(self.admin_token, "The admin token")

    @property
    def counts_clients(self) -> bool:
        """Whether clients are recorded."""
        return self.usage is not None if self.usage_clients is None else self.usage_clients

    @property
    def source_is_near(self) -> bool | None:
        """Whether `shared_reads` makes the source count as near; None leaves it to the source."""
        return None if self.shared_reads is SharedReads.AUTO else self.shared_reads is SharedReads.NEVER

    @property
    def serves_dashboard(self) -> bool:
        """Whether to serve the dashboard; by default only if no other machine can reach the server."""
        return self.is_loopback() and self.metrics if self.dashboard is None else self.dashboard

    def is_loopback(self) -> bool:
        """Return whether the host can be reached from this machine only."""
        return is_loopback(self.host)


def parse_networks(entries: tuple[str, ...]) -> tuple[Network, ...]:
    """Parse the addresses and networks of trusted proxies; the entry `unix` names none.

    Raises:
        InvalidSettings: An entry is neither an address nor a network.
    """
    networks = []
    for entry in entries:
        if entry == "unix":
            continue
        try:
            networks.append(ipaddress.ip_network(entry, strict=False))
        except ValueError as error:
            raise InvalidSettings(
                f"The trusted proxy {entry!r} is not an address, a network such as 10.0.0.0/8, or 'unix'."
            ) from error
    return tuple(networks)


def _check_names(hosts: tuple[str, ...], origins: tuple[str, ...]) -> None:
    """Reject names that could never match a request.

    Raises:
        InvalidSettings: An entry is not a host, or not an origin.
    """
    for host in hosts:
        if host != ANY_HOST and not _HOST_NAME.match(host) and not _is_ipv6(host):
            raise InvalidSettings(
                f"The allowed host {host!r} is not a host name. Write the name alone, without scheme and "
                "port, such as standards.example."
            )
    for origin in origins:
        if not _ORIGIN.match(origin.rstrip("/")):
            raise InvalidSettings(
                f"The allowed origin {origin!r} is not an origin. Write scheme and host, such as "
                "https://agents.example."
            )


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def check_admin_token(token: str, what: str) -> None:
    """Reject a token that could not be sent, or could be guessed.

    Args:
        token: Token; it is not shown.
        what: Name of the token in messages.

    Raises:
        InvalidSettings: It cannot be used.
    """
    if _TOKEN.match(token) is None:
        raise InvalidSettings(
            f"{what} must be at least {MIN_TOKEN_CHARACTERS} letters, digits or -._~+/= without spaces. "
            "Create one with: openssl rand -hex 32"
        )


def check_redis_secret(secret: str, what: str) -> None:
    """Reject a secret that could be guessed.

    Args:
        secret: Secret; it is not shown.
        what: Name of the secret in messages.

    Raises:
        InvalidSettings: It cannot be used.
    """
    if _SECRET.match(secret) is None or len(set(secret)) < _MIN_SECRET_VARIETY:
        raise InvalidSettings(
            f"{what} must be {MIN_SECRET_CHARACTERS} or more letters, digits or -._~+/= without spaces, and "
            "not a few repeated characters. Create one with: openssl rand -hex 32"
        )


def _require(holds: object, field: str, wanted: str) -> None:
    if not holds:
        raise InvalidSettings(f"The setting '{field}' must be {wanted}.")


# Other names of variables that are in common use, beside CHOIRBOOK_<FIELD> for every field.
_ENVIRONMENT_ALIASES = {
    "CACHE_TTL": "cache_ttl_s",
    "CACHE_MAX_SIZE": "cache_max_resources",
    "REDIS_URL": "redis_url",
}


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    config: Path | None = None,
    env_file: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Merge all sources of settings.

    Args:
        flags: Values from the command line; None means not given.
        config: A TOML file whose keys are the fields of `Settings`.
        env_file: A file of variables, see `read_env_file`.
        environment: Variables, `os.environ` by default.

    Raises:
        InvalidSettings: A value cannot be used, or a name is unknown; the message names where it came from.
    """
    merged: dict[str, Any] = {}
    if config is not None:
        merged |= _from_file(config)
    if env_file is not None:
        merged |= _from_environment(read_env_file(env_file), str(env_file))
    merged |= _from_environment(os.environ if environment is None else environment, "the environment")
    merged |= {key: value for key, value in (flags or {}).items() if value is not None}
    try:
        return msgspec.convert(merged, Settings, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        raise InvalidSettings(f"The settings are invalid: {error}.") from error


def _from_file(config: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings(f"The settings file {config} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"The settings file {config} is not valid TOML: {error}.") from error
    unknown = sorted(set(values) - set(Settings.__struct_fields__))
    if unknown:
        close = similar_name(unknown[0], Settings.__struct_fields__)
        raise InvalidSettings(
            f"The settings file {config} has the unknown key '{unknown[0]}'. "
            f"{'' if close is None else f'Did you mean {close!r}? '}"
            f"The keys are: {', '.join(Settings.__struct_fields__)}."
        )
    return values


def variables_of(field: str) -> list[str]:
    """Return the names of the variables that set a field; where several are set, the last one counts."""
    aliases = [alias for alias, target in _ENVIRONMENT_ALIASES.items() if target == field]
    return [f"{PREFIX}{field.upper()}", *aliases]


def _from_environment(variables: Mapping[str, str], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    known: set[str] = set()
    for field in msgspec.structs.fields(Settings):
        names = variables_of(field.name)
        known.update(names)
        for name in names:
            if name not in variables:
                continue
            try:
                found[field.name] = _parse(variables[name], field.type)
            except msgspec.ValidationError as error:
                advice = explain(name, variables[name])
                raise InvalidSettings(
                    f"{name} in {where} is {variables[name]!r}: {error}.{advice}"
                ) from error
    refuse_unknown(variables, known, where)
    refuse_former(variables, known, where)
    return found


def _parse(text: str, kind: Any) -> Any:
    if "tuple" in str(kind):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind in {bool, bool | None}:
        text = {"on": "true", "off": "false"}.get(text.lower(), text)
    return msgspec.convert(text, kind, strict=False, dec_hook=_decode_path)


def _decode_path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str | Path):
        if value == "":
            # `Path("")` is the working directory, which nobody named.
            raise ValueError("a path must not be empty")
        return Path(value)
    raise TypeError(f"a path is written as a string, not as {type(value).__name__}")
