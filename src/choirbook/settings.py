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

from choirbook.environment import PREFIX, explain, nearest, read_env_file, refuse_unknown
from choirbook.errors import InvalidSettings
from choirbook.redis.url import RedisUrl, parse_redis_url
from choirbook.runtime.admin_address import AdminAddress, LoopbackAddress, parse_admin_address

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
    """Text on a terminal, JSON elsewhere."""
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """Minimum log level of messages about the server; reads are logged by `access_log` and `log_hits`."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class SharedReads(StrEnum):
    """Which misses ask Redis before the source."""

    AUTO = "auto"
    """The misses of a library on a network file system."""
    ALWAYS = "always"
    NEVER = "never"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a Choirbook process. Units are in the names; bytes are bytes, `_s` is seconds."""

    root: Path = STARTER_LIBRARY
    """Directory of the library."""
    host: str = "127.0.0.1"
    port: int = 8000
    """Port to listen on; 0 lets the system choose."""
    workers: int = 1
    public: bool = False
    """Allow listening beyond loopback, although no client has to authenticate."""
    allowed_hosts: tuple[str, ...] | None = None
    """Names accepted in `Host`, without port; `*` accepts any, and so does None: a mounting app checks."""
    allowed_origins: tuple[str, ...] = ()
    """Origins accepted in addition to those of this machine, such as `https://agents.example`."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Prefix` are trusted."""
    cache_ttl_s: float = 300.0
    cache_grace_s: float = 300.0
    """Time after that for which a cached document is served while it is read again; with 0 readers wait."""
    cache_max_resources: int = 1000
    cache_max_bytes: int = 256 * MIB
    last_good_s: float = 600.0
    """Time for which a document that cannot be read is served from memory."""
    client_ttl_s: float = 1.0
    """Time for which clients may reuse an answer without asking again (`ttlMs`, `max-age`)."""
    max_body_bytes: int = 1 * MIB
    body_timeout_s: float = 30.0
    max_batch_bytes: int = 16 * MIB
    """Maximum total length of the replies to a batch of revision 2025-03-26; the first one may be longer."""
    max_document_bytes: int = 8 * MIB
    """Maximum length of a document; a longer one is not served, and `check` names it."""
    page_size: int = 500
    """Number of resources on one page of an MCP listing."""
    watch: bool = True
    rescan_s: float = 3.0
    """Pause between full scans, which find what the watcher missed."""
    max_waiting_reads: int = 2048
    """Maximum number of concurrent reads from the source in a process; further ones are rejected for now."""
    max_streams: int = 8192
    """Maximum number of open notification streams in a process."""
    keep_alive_s: float = 15.0
    """Maximum time for which a stream is silent; proxies close connections that are silent for a minute."""
    stall_s: float = 20.0
    """Time after which a client that takes nothing of an answer is disconnected."""
    peer_share: float = 0.25
    """Fraction of all streams, sessions, connections and waiting requests that one address may hold."""
    max_sessions: int = 10_000
    """Maximum number of sessions of the handshake era, over all processes; 0 issues none."""
    session_idle_s: float = 1800.0
    """Time after which a session without a request or an open stream ends."""
    metrics: bool = True
    """Record metrics, and serve them at `/metrics`."""
    access_log: bool = True
    """Whether reads are logged on stderr, one line each."""
    log_hits: float = 1.0
    """Fraction of cache hits to log, from 0 to 1; misses and failures are always logged."""
    log_request_ids: bool = False
    """Whether a read's log line includes the ids of its request and trace; every read pays for them."""
    log_format: LogFormat = LogFormat.AUTO
    log_level: LogLevel = LogLevel.INFO
    usage: Path | None = None
    """File with the record of reads; with None it is kept in the server's own directory, for as long as the
    server runs."""
    usage_clients: bool | None = None
    """Whether clients and searches without results are recorded; None does so if `usage` is given."""
    server_timing: bool = False
    """Send HTTP clients the `Server-Timing` header, with the time of each stage."""
    trace_slow_s: float = 0.1
    """Requests that take longer are always traced, if `OTEL_*` enables traces."""
    preload: bool = False
    """Read the library into the cache after the first survey, in the background."""
    tools: bool = True
    """Offer read-only tools over MCP, for clients whose models cannot read resources."""
    dashboard: bool | None = None
    """Serve a page for people at `/dashboard`. None leaves it to `choirbook serve`: on loopback only."""
    redis_url: str = ""
    """URL of the Redis that all workers and hosts share; empty for none. It may hold a password: do not
    log."""
    redis_secret: str = ""
    """Signs values written to Redis, the same on every host; required unless Redis is on this machine. Never
    log it."""
    redis_previous_secret: str = ""
    """A second secret that is also accepted, during a rotation. Never log it."""
    redis_secret_file: Path | None = None
    """File with the secret, and on a second line the one that it replaces."""
    redis_unsigned: bool = False
    """Trust everyone who can write to a Redis on another machine, without a secret."""
    shared_reads: SharedReads = SharedReads.AUTO
    """Whether Redis is asked for a document before it is read from the library."""
    admin: str = ""
    """Address for admin calls to `choirbook serve`, `unix:PATH` or `127.0.0.1:PORT`; empty for none."""
    admin_token: str = ""
    """Token that an admin call must send. Never log it."""
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
                "The Redis secret is given twice: by CHOIRBOOK_REDIS_SECRET and by a file. Give one."
            )
        if self.redis_previous_secret and not self.redis_secret:
            raise InvalidSettings(
                "CHOIRBOOK_REDIS_PREVIOUS_SECRET is set and CHOIRBOOK_REDIS_SECRET is not. Set both, or neither."
            )
        if not (url.is_local or self.redis_secret or has_file or self.redis_unsigned):
            raise InvalidSettings(
                f"Redis at {url.place} is not on this machine, and what others write there would be served. "
                "Set CHOIRBOOK_REDIS_SECRET or --redis-secret-file to the same secret on every host (make one "
                "with: openssl rand -hex 32), or pass --redis-unsigned to believe whoever can write there."
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
                "The admin token is given twice: by CHOIRBOOK_ADMIN_TOKEN and by a file. Give one."
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
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


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
                f"The trusted proxy {entry!r} is no address, no network such as 10.0.0.0/8, and not 'unix'."
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
                f"The allowed host {host!r} is no host name. Write the name alone, without scheme and port, "
                "such as standards.example."
            )
    for origin in origins:
        if not _ORIGIN.match(origin.rstrip("/")):
            raise InvalidSettings(
                f"The allowed origin {origin!r} is no origin. "
                "Write scheme and host, such as https://agents.example."
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
            "Make one with: openssl rand -hex 32"
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
            "not the same few again and again. Make one with: openssl rand -hex 32"
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
        raise InvalidSettings(f"The settings are not usable: {error}.") from error


def _from_file(config: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings(f"The settings file {config} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"The settings file {config} is not valid TOML: {error}.") from error
    unknown = sorted(set(values) - set(Settings.__struct_fields__))
    if unknown:
        close = nearest(unknown[0], Settings.__struct_fields__)
        raise InvalidSettings(
            f"The settings file {config} has the unknown key '{unknown[0]}'. "
            f"{'' if close is None else f'Did you mean {close!r}? '}"
            f"The keys are: {', '.join(Settings.__struct_fields__)}."
        )
    return values


def _from_environment(variables: Mapping[str, str], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    known: set[str] = set()
    for field in msgspec.structs.fields(Settings):
        names = [f"{PREFIX}{field.name.upper()}"]
        names += [alias for alias, target in _ENVIRONMENT_ALIASES.items() if target == field.name]
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
