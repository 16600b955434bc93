"""Adapter to redis-py, which is named here only: connections, and the mapping of its errors.

It takes half a second to import, so the first call that needs it does so: `make_pool`, on a thread.
"""

from __future__ import annotations

import importlib
import re
import ssl
from importlib.util import find_spec
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, TypeAlias

from choirbook.errors import ExtraMissing
from choirbook.redis.errors import Reason
from choirbook.redis.signatures import Corrupt
from choirbook.redis.url import RedisUrl

if TYPE_CHECKING:
    from redis.asyncio import BlockingConnectionPool
    from redis.asyncio.connection import AbstractConnection

    Connection: TypeAlias = AbstractConnection
    Pool: TypeAlias = BlockingConnectionPool

MAX_CONNECTIONS = 8
"""Maximum number of connections of a process: calls take well below a millisecond, so few are concurrent."""


def require_client_library() -> None:
    """Check that redis-py is installed, without the time that importing it takes.

    Raises:
        ExtraMissing: It is not installed.
    """
    if find_spec("redis") is None:
        raise ExtraMissing(
            "--redis needs redis-py, which is not installed. Run: pip install 'choirbook[redis]'"
        )


def make_pool(url: RedisUrl, deadline_s: float) -> Pool:
    """Create a pool of connections, none of which is open yet. Blocking, as it imports the library.

    Args:
        url: Address of Redis.
        deadline_s: Maximum time to connect, or to wait for a free connection, in seconds.

    Raises:
        OSError: A file with certificates or a key cannot be used.
    """
    redis = importlib.import_module("redis.asyncio")
    notices = importlib.import_module("redis.maint_notifications")
    options: dict[str, Any] = {
        "db": url.database,
        "username": url.username,
        "password": url.password,
        "protocol": 3,
        # With a timeout, redis-py sends under `asyncio.wait_for`, which before Python 3.12 loses a
        # cancellation that arrives as the sending ends: a cancelled task would continue. Calls have their own
        # deadline.
        "socket_timeout": None,
        "socket_connect_timeout": deadline_s,
        "driver_info": None,
        "maint_notifications_config": notices.MaintNotificationsConfig(enabled=False),
    }
    if url.socket:
        options |= {"connection_class": redis.UnixDomainSocketConnection, "path": url.socket}
    else:
        options |= {"host": url.host, "port": url.port}
    if url.tls:
        options["connection_class"] = _prepared(redis.SSLConnection, _context(url))
    pool: Pool = redis.BlockingConnectionPool(max_connections=MAX_CONNECTIONS, timeout=deadline_s, **options)
    return pool


def _context(url: RedisUrl) -> SSLContext:
    """Create the TLS context of all connections: with a CA file, it trusts only the authorities there."""
    # Without a file it reads all authorities of the system, which takes longer than a connection may.
    context = ssl.create_default_context(cafile=url.ca_file)
    if url.cert_file is not None:
        context.load_cert_chain(url.cert_file, url.key_file)
    return context


def _prepared(kind: type[Any], context: SSLContext) -> type[Any]:
    """Return a connection class with this context: redis-py creates one per connection, on the event loop."""

    class PreparedConnection(kind):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.ssl_context.context = context

    return PreparedConnection


def reason_of(error: Exception) -> Reason:
    """Return the reason for an error of a call, whether from the library, the system or a reply."""
    from redis import exceptions

    table: list[tuple[tuple[type[Exception], ...], Reason]] = [
        ((Corrupt,), Reason.CORRUPT),
        ((TimeoutError, exceptions.TimeoutError), Reason.TIMEOUT),
        ((exceptions.NoPermissionError,), Reason.PERMISSION),
        ((exceptions.AuthenticationError, exceptions.AuthorizationError), Reason.AUTH),
        ((exceptions.BusyLoadingError,), Reason.LOADING),
        ((exceptions.ReadOnlyError,), Reason.READ_ONLY),
        ((exceptions.OutOfMemoryError,), Reason.FULL),
        ((exceptions.ResponseError,), Reason.REPLY),
        ((exceptions.ConnectionError, OSError), Reason.CONNECTION),
    ]
    found = next((reason for kinds, reason in table if isinstance(error, kinds)), Reason.PROTOCOL)
    # A missing permission in a script is reported like any error of a script.
    return Reason.PERMISSION if found is Reason.REPLY and _OF_SCRIPT in str(error) else found


_OF_SCRIPT = "user executing the script can't"
"""Wording since Redis 6, which does not say which command of the script was denied."""


def denied_command(error: Exception) -> str:
    """Return the command that Redis says the user may not run, in capitals; "" if it names none.

    It is not always the one that was sent: a connection begins with others.
    """
    found = _DENIED.search(str(error))
    return found[1].upper() if found else ""


_DENIED = re.compile(r"to run the '(\w{1,32})")
