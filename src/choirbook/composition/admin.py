"""Admin surface, on a socket of its own."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from choirbook.settings import Settings
from choirbook.workers.cache_control import Caretaker

if TYPE_CHECKING:
    from choirbook.admin.answers import Counts
    from choirbook.admin.server import PlainServer


def make_admin_server(
    settings: Settings,
    caretaker: Caretaker,
    count: Callable[[], Awaitable[Counts | None]],
    listener: socket.socket | None,
) -> PlainServer | None:
    """Create the server of admin calls; None without a listener.

    Args:
        settings: Contain the token of admin calls.
        caretaker: Carries out the calls.
        count: Returns the counts of all workers; None if metrics are disabled.
        listener: Listening socket; None for none.
    """
    if listener is None:
        return None
    # Off by default: h11 and other dependencies are imported only if it is on.
    from choirbook.admin.calls import Surface
    from choirbook.admin.server import PlainServer

    surface = Surface(caretaker, count, settings.admin_token)
    return PlainServer(listener, surface.begin)
