"""Choirbook over the suite's library, with its tools and prompts, under Granian as `choirbook serve` runs it.

Run as a program: `python -m tests.conformance.server`.
"""

from __future__ import annotations

from choirbook.app import create_app
from choirbook.http.allowed_hosts import LOOPBACK_HOSTS
from choirbook.servers.granian import server as granian_server
from choirbook.servers.granian.sockets import listen, port_of
from choirbook.settings import load
from tests.conformance.fixtures import HERE, TOOLS, FixturePrompts


def serve() -> None:
    """Serve on a port that the system chooses; blocks until a signal."""
    settings = load({"root": HERE / "library", "allowed_hosts": LOOPBACK_HOSTS})
    sockets = listen("127.0.0.1", 0, settings.workers)
    print(f"http://127.0.0.1:{port_of(sockets)}/mcp", flush=True)
    granian_server.run(
        granian_server.make_server("choirbook", sockets),
        lambda: create_app(settings, tools=TOOLS, features=[FixturePrompts]),
    )


if __name__ == "__main__":
    serve()
