"""Admin API, on a socket of its own."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from choirbook.settings import Settings
from choirbook.workers.cache_control import CacheControl

if TYPE_CHECKING:
    from choirbook.admin.responses import ReadCounts
    from choirbook.admin.server import AdminServer


def make_admin_server(
    settings: Settings,
    cache_control: CacheControl,
    count: Callable[[], Awaitable[ReadCounts | None]],
    listener: socket.socket | None,
) -> AdminServer | None:
    """Create the server of admin calls; None without a listener.

    Args:
        settings: Contain the token of admin calls.
        cache_control: Carries out the calls.
        count: Returns the counts of all workers; None if metrics are disabled.
        listener: Listening socket; None for none.
    """
    if listener is None:
        return None
    # Off by default: h11 and other dependencies are imported only if it is on.
    from choirbook.admin.api import AdminApi
    from choirbook.admin.server import AdminServer

    api = AdminApi(cache_control, count, settings.admin_token)
    return AdminServer(listener, api.begin)
