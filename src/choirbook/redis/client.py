"""The client library, redis-py, which is named here only: its connections, and what it means by its errors.

It takes half a second to import, so that is done by the first call which needs it: `make_pool`, on a thread.
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
"""Of a process: calls take well below a millisecond, so that few of them are ever under way together."""


def require_client_library() -> None:
    """See that redis-py is installed, without the time that importing it takes.

    Raises:
        ExtraMissing: It is not.
    """
    if find_spec("redis") is None:
        raise ExtraMissing(
            "--redis needs redis-py, which is not installed. Run: pip install 'choirbook[redis]'"
        )


def make_pool(url: RedisUrl, deadline_s: float) -> Pool:
    """Make a pool of connections, none of which is made yet. Blocking, as it imports the library.

    Args:
        url: Where Redis is.
        deadline_s: Of connecting, and of waiting for a connection that is free, in seconds.

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
        # With one, redis-py sends under `asyncio.wait_for`, which before Python 3.12 loses a cancellation
        # that comes as the sending ends: a task that is told to stop goes on. Calls have their own deadline.
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
    """Make what all connections verify the server with: with a file of authorities, by these alone."""
    # Without a file it reads all authorities of the system, for longer than a connection may take.
    context = ssl.create_default_context(cafile=url.ca_file)
    if url.cert_file is not None:
        context.load_cert_chain(url.cert_file, url.key_file)
    return context


def _prepared(kind: type[Any], context: SSLContext) -> type[Any]:
    """Return a kind of connection that has its context: redis-py makes one for each, on the event loop."""

    class Prepared(kind):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.ssl_context.context = context

    return Prepared


def reason_of(error: Exception) -> Reason:
    """Return what an error of a call comes to, be it of the library, of the system or of a reply."""
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
    # What a script may not do comes as any error of a script.
    return Reason.PERMISSION if found is Reason.REPLY and _OF_SCRIPT in str(error) else found


_OF_SCRIPT = "user executing the script can't"
"""So since Redis 6; Redis does not say which command of the script it was."""


def denied_command(error: Exception) -> str:
    """Return the command that Redis says the user may not run, in capitals; "" where it names none.

    It is not always the one that was sent: a connection begins with others.
    """
    found = _DENIED.search(str(error))
    return found[1].upper() if found else ""


_DENIED = re.compile(r"to run the '(\w{1,32})")
